/** Amounts: `"41872.14 USD"`, exact decimals in one unit, never a floating number. */

export interface Amount {
  /** The value times 10^scale. */
  readonly digits: bigint;
  readonly scale: number;
  readonly unit: string;
}

const AMOUNT = /^(-?)(0|[1-9][0-9]{0,29})(?:\.([0-9]{1,18}))? ([A-Za-z][A-Za-z0-9]{0,15})$/;

/** The amount, or undefined when the text is none. */
export function parseAmount(text: string): Amount | undefined {
  const match = AMOUNT.exec(text);
  if (match === null) return undefined;
  const [, sign = "", whole = "", fraction = "", unit = ""] = match;
  return { digits: BigInt(`${sign}${whole}${fraction}`), scale: fraction.length, unit };
}

/** Less than 0, 0 or more than 0; undefined for two units, which cannot be compared. */
export function compareAmounts(a: Amount, b: Amount): number | undefined {
  if (a.unit !== b.unit) return undefined;
  const [left, right] = [scaled(a, b.scale), scaled(b, a.scale)];
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Undefined for two units. */
export function addAmounts(a: Amount, b: Amount): Amount | undefined {
  if (a.unit !== b.unit) return undefined;
  return { digits: scaled(a, b.scale) + scaled(b, a.scale), scale: Math.max(a.scale, b.scale), unit: a.unit };
}

function scaled({ digits, scale }: Amount, least: number): bigint {
  return digits * 10n ** BigInt(Math.max(scale, least) - scale);
}
