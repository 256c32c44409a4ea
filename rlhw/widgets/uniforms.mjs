// Random numbers that Python can draw as well: the Mersenne Twister of Matsumoto and Nishimura (1998), with the seeding
// and the 53 bits of numpy's RandomState.

const WORDS = 624;

function twist(state) {
  for (let i = 0; i < WORDS; i++) {
    const mixed = (state[i] & 0x80000000) | (state[(i + 1) % WORDS] & 0x7fffffff);
    state[i] = state[(i + 397) % WORDS] ^ (mixed >>> 1) ^ (mixed & 1 ? 0x9908b0df : 0);
  }
}

// `count` numbers in [0, 1), those of np.random.RandomState(seed).random_sample(count).
export function uniforms(seed, count) {
  const state = new Uint32Array(WORDS);
  state[0] = seed;
  for (let i = 1; i < WORDS; i++) state[i] = Math.imul(1812433253, state[i - 1] ^ (state[i - 1] >>> 30)) + i;
  let place = WORDS;
  const word = () => {
    if (place === WORDS) {
      twist(state);
      place = 0;
    }
    let bits = state[place++];
    bits ^= bits >>> 11;
    bits ^= (bits << 7) & 0x9d2c5680;
    bits ^= (bits << 15) & 0xefc60000;
    return (bits ^ (bits >>> 18)) >>> 0;
  };
  return Array.from({ length: count }, () => ((word() >>> 5) * 2 ** 26 + (word() >>> 6)) / 2 ** 53);
}
