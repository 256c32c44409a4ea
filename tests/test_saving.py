"""Folders that appear whole or not at all, and no progress bars."""

import pytest
from small_models import gpt2
from transformers.utils import logging

from rlhw import saving


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    target = tmp_path / "deep" / "policy"
    with saving.whole_folder(target) as draft:
        (draft / "a.json").write_text("1", encoding="utf8")
        assert not target.exists()
    assert [file.name for file in target.iterdir()] == ["a.json"]

    def fail():
        with saving.whole_folder(target) as draft:
            (draft / "a.json").write_text("half", encoding="utf8")
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        fail()
    assert (target / "a.json").read_text(encoding="utf8") == "1"
    with saving.whole_folder(target) as draft:
        (draft / "b.json").write_text("2", encoding="utf8")
    assert [file.name for file in target.iterdir()] == ["b.json"]
    assert [file.name for file in target.parent.iterdir()] == ["policy"]


def test_transformers_is_quiet_within_the_block_only(tmp_path, capfd, caplog):
    def noise():
        gpt2().save_pretrained(tmp_path)
        logging.get_logger("transformers").warning("a report")

    with saving.quiet():
        noise()
    assert (*capfd.readouterr(), caplog.messages) == ("", "", [])
    noise()
    assert "100%" in capfd.readouterr().err
    assert caplog.messages == ["a report"]
