"""Reward models on disk: our own reader, transformers' reader, and folders that hold something else."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from small_models import EOS, gpt2, llama, random_batch
from torch import nn
from transformers import AutoModelForSequenceClassification

from rlhw.reward_model import RewardModel, last_token, score_batches, sum_of_tokens
from rlhw.saving import quiet
from rlhw.tabular_lm import TabularTrunk

TRUNKS = {"gpt2": lambda: gpt2().transformer.double(), "llama": lambda: llama().model.double()}


def model_of(trunk, read, seed=0):
    torch.manual_seed(seed)
    return RewardModel(trunk, read)


@pytest.mark.parametrize("read", [sum_of_tokens, last_token])
@pytest.mark.parametrize("trunk", TRUNKS)
def test_a_saved_model_comes_back(tmp_path, trunk, read, capfd):
    model = model_of(TRUNKS[trunk](), read)
    model.save_pretrained(tmp_path / "reward")
    back = RewardModel.from_pretrained(tmp_path / "reward")
    assert capfd.readouterr() == ("", "")
    assert back.read is read
    assert not back.training
    batch = random_batch(5, 2)
    assert torch.equal(score_batches(back, [batch]), score_batches(model, [batch]))
    assert sorted(file.name for file in (tmp_path / "reward").iterdir()) == ["config.json", "model.safetensors"]
    assert model.trunk.config.num_labels == 2, "the trunk's own configuration is left alone"


@torch.no_grad()
def transformers_scores(folder, batch, fill):
    """What transformers' own classifier makes of the texts, right-padded with `fill`."""
    with quiet():
        classifier = AutoModelForSequenceClassification.from_pretrained(folder)
    texts = [
        torch.cat([prompt[prompt_mask], answer[mask]])
        for prompt, prompt_mask, answers, masks in zip(*vars(batch).values(), strict=True)
        for answer, mask in zip(answers, masks, strict=True)
    ]
    tokens = nn.utils.rnn.pad_sequence(texts, batch_first=True, padding_value=fill)
    mask = torch.arange(tokens.shape[1]) < torch.tensor([[len(text)] for text in texts])
    return classifier(tokens, attention_mask=mask.long()).logits.view(batch.responses.shape[:2])


@pytest.mark.parametrize("make", [lambda: gpt2().transformer, lambda: llama().model], ids=["gpt2", "llama"])
def test_transformers_reads_the_last_token_as_we_do(tmp_path, make):
    model, batch = model_of(make(), last_token), random_batch(5, 2)
    model.save_pretrained(tmp_path)
    scores = score_batches(model, [batch])
    pad = model.trunk.config.pad_token_id
    torch.testing.assert_close(transformers_scores(tmp_path, batch, pad), scores, rtol=0, atol=1e-5)
    # Where padding is the token that ends each answer, it reads at the token before that: another score.
    model.trunk.config.pad_token_id = EOS
    model.save_pretrained(tmp_path)
    assert (transformers_scores(tmp_path, batch, EOS) - scores).abs().max() > 0.1


def test_a_classifier_from_elsewhere_reads_the_last_token(tmp_path):
    model = model_of(gpt2().transformer, last_token)
    model.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf8"))
    assert config.pop("reward_read") == "last_token"
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf8")
    batch = random_batch(4, 2)
    assert torch.equal(score_batches(RewardModel.from_pretrained(tmp_path), [batch]), score_batches(model, [batch]))


def saved(tmp_path, change):
    with quiet():
        change(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("error", "make", "sentence"),
    [
        (FileNotFoundError, lambda folder: folder / "none", "folder: no model can be read at .*none; save_pretrained"),
        (
            ValueError,
            lambda folder: saved(folder, gpt2().save_pretrained),
            "holds no reward model .* but a GPT2LMHeadModel",
        ),
        (ValueError, lambda folder: saved(folder, gpt2().transformer.save_pretrained), "but a GPT2Model"),
    ],
)
def test_another_kind_of_folder_is_refused_in_one_sentence(tmp_path, error, make, sentence):
    with pytest.raises(error, match=sentence) as caught:
        RewardModel.from_pretrained(make(tmp_path))
    assert "\n" not in str(caught.value)


def cut_off(path):
    path.write_bytes(path.read_bytes()[:-40])


def without_head(path):
    tensors = load_file(path)
    del tensors["score.weight"]
    save_file(tensors, path, metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (cut_off, "lacks model.safetensors, whole and fitting its config.json"),
        (without_head, "lacks score.weight"),
        (lambda path: path.unlink(), "lacks model.safetensors, whole and fitting"),
        (lambda path: path.rename(path.with_name("pytorch_model.bin")), "lacks model.safetensors"),
    ],
    ids=["cut off", "no head", "no weights", "pickled weights"],
)
def test_a_damaged_folder_is_refused_in_one_sentence(tmp_path, damage, sentence, capfd, caplog):
    model_of(gpt2().transformer, last_token).save_pretrained(tmp_path / "reward")
    damage(tmp_path / "reward" / "model.safetensors")
    with pytest.raises(ValueError, match=f"folder: the model at .*reward is damaged: it {sentence}") as caught:
        RewardModel.from_pretrained(tmp_path / "reward")
    assert "\n" not in str(caught.value)
    assert (*capfd.readouterr(), caplog.messages) == ("", "", [])


def first_token(scores, mask):
    return scores[:, :, 0]


@pytest.mark.parametrize(
    ("error", "trunk", "read", "sentence"),
    [
        (TypeError, lambda: TabularTrunk(3, 3), last_token, "trunk must be a Hugging Face model"),
        (
            ValueError,
            lambda: gpt2().transformer,
            first_token,
            "read must be one of sum_of_tokens, last_token .* first_token",
        ),
    ],
)
def test_what_could_not_be_read_back_is_not_saved(tmp_path, error, trunk, read, sentence):
    with pytest.raises(error, match=sentence):
        RewardModel(trunk(), read).save_pretrained(tmp_path / "reward")
    assert not (tmp_path / "reward").exists()


def test_a_folder_is_replaced_whole_or_stays(tmp_path, monkeypatch):
    model = model_of(gpt2().transformer, last_token)
    model.save_pretrained(tmp_path / "reward")
    before = {file.name: file.read_bytes() for file in (tmp_path / "reward").iterdir()}

    def cut(self, folder):
        (folder / "config.json").write_text("{", encoding="utf8")
        raise OSError("no space left on device")

    monkeypatch.setattr("transformers.PreTrainedModel.save_pretrained", cut)
    with pytest.raises(OSError, match="no space left"):
        model.save_pretrained(tmp_path / "reward")
    assert {file.name: file.read_bytes() for file in (tmp_path / "reward").iterdir()} == before
    assert [folder.name for folder in tmp_path.iterdir()] == ["reward"]
