// The Mersenne Twister MT19937, seeded and read as numpy.random.RandomState does: a page and a notebook draw the same numbers.

const [WORDS, AHEAD] = [624, 397];

function* mersenne(seed) {
  const words = new Uint32Array(WORDS);
  words[0] = seed;
  for (let i = 1; i < WORDS; i++) words[i] = Math.imul(1812433253, words[i - 1] ^ (words[i - 1] >>> 30)) + i;
  for (;;) {
    for (let i = 0; i < WORDS; i++) {
      const joined = (words[i] & 0x80000000) | (words[(i + 1) % WORDS] & 0x7fffffff);
      words[i] = words[(i + AHEAD) % WORDS] ^ (joined >>> 1) ^ (joined & 1 ? 0x9908b0df : 0);
    }
    for (let word of words) {
      word ^= word >>> 11;
      word ^= (word << 7) & 0x9d2c5680;
      word ^= (word << 15) & 0xefc60000;
      yield (word ^ (word >>> 18)) >>> 0;
    }
  }
}

// Numbers in [0, 1) with 53 bits, from two words each.
function* uniforms(seed) {
  const words = mersenne(seed);
  for (;;) {
    const [high, low] = [words.next().value >>> 5, words.next().value >>> 6];
    yield (high * 2 ** 26 + low) / 2 ** 53;
  }
}

export function uniformNumbers(seed, count) {
  const numbers = uniforms(seed);
  return Array.from({ length: count }, () => numbers.next().value);
}
