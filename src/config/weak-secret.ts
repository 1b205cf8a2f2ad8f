/** More than half of all pairs of letters in English text, one in ten in random letters. */
const COMMON_PAIRS = new Set(
  (
    'th he in er an re on at en nd ti es or te of ed is it al ar st to nt ng se ha as ou io le ve co me de hi ri ro ic ne ea ra ' +
    'ce li ch ll be ma si om ur ss pa wo rd sw cr et ct ee ey'
  ).split(' '),
);
const FEWEST_CHARACTERS = 8;
/** Words drawn by dice hold 12.9 bits each. */
const FEWEST_WORDS = 10;

/**
 * Why a text is no secret, in words; null when nothing about it says so. Sees what people type in a hurry: one key held down, a
 * pattern again and again, rows of the keyboard, words. That a text is random cannot be seen.
 */
export function weakness(secret: string): string | null {
  if (new Set(secret).size < FEWEST_CHARACTERS) return 'of a few characters only';
  if (isRepeated(secret)) return 'a pattern again and again';
  if (steps(secret) > secret.length / 2) return 'a row of characters';
  return isWords(secret) ? 'made of words' : null;
}

/** Most of it is what stood some characters before, always at the same distance. */
function isRepeated(text: string): boolean {
  for (let distance = 1; distance <= text.length / 2; distance += 1) {
    let same = 0;
    for (let i = distance; i < text.length; i += 1) if (text[i] === text[i - distance]) same += 1;
    if (same >= (text.length - distance) * 0.8) return true;
  }
  return false;
}

const ROWS = ['qwertyuiop', 'asdfghjkl', 'zxcvbnm', 'qwertzuiop', 'yxcvbnm'];

/** How many characters follow their neighbour, in the alphabet or on the keyboard, up or down. */
function steps(text: string): number {
  const lower = text.toLowerCase();
  let count = 0;
  for (let i = 1; i < lower.length; i += 1) {
    const pair = lower.slice(i - 1, i + 1);
    const step = pair.charCodeAt(1) - pair.charCodeAt(0);
    const back = `${pair[1]}${pair[0]}`;
    if (Math.abs(step) <= 1 || ROWS.some((row) => row.includes(pair) || row.includes(back))) count += 1;
  }
  return count;
}

function isWords(text: string): boolean {
  // As people write words: a change of case inside is what drawn text has.
  const words = (text.match(/[A-Z]?[a-z]{2,}|[A-Z]{2,}/g) ?? []).map((word) => word.toLowerCase());
  if (words.join('').length < text.length * 0.7) return false;
  const pairs = words.flatMap((word) => Array.from({ length: word.length - 1 }, (_, i) => word.slice(i, i + 2)));
  const common = pairs.filter((pair) => COMMON_PAIRS.has(pair)).length;
  return common >= pairs.length * 0.45 && new Set(words).size < FEWEST_WORDS;
}
