/** A cache bounded in bytes: the least recently used goes first. */
export class ByteLru<K, V> {
  private readonly kept = new Map<K, { readonly value: V; readonly bytes: number }>();
  private total = 0;

  constructor(private readonly limit: number) {}

  get(key: K): V | undefined {
    const found = this.kept.get(key);
    if (found === undefined) return undefined;
    this.kept.delete(key);
    this.kept.set(key, found);
    return found.value;
  }

  set(key: K, value: V, bytes: number): void {
    this.total += bytes - (this.kept.get(key)?.bytes ?? 0);
    this.kept.delete(key);
    this.kept.set(key, { value, bytes });
    for (const [oldest, old] of this.kept) {
      if (this.total <= this.limit) return;
      this.kept.delete(oldest);
      this.total -= old.bytes;
    }
  }
}
