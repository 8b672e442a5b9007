/**
 * Answers that are asked for again and again while one action is judged: by whom they are about, forgotten with it. Two thousand
 * uses of one grant ask the same of its approvals, facts and keys.
 */
export class Memory<Owner extends object, Answer> {
  private readonly known = new WeakMap<Owner, Map<string | number, Answer>>();

  of(owner: Owner, name: string | number, make: () => Answer): Answer {
    const answers = this.known.get(owner) ?? new Map<string | number, Answer>();
    this.known.set(owner, answers);
    const known = answers.get(name);
    if (known !== undefined || answers.has(name)) return known as Answer;
    const answer = make();
    answers.set(name, answer);
    return answer;
  }
}
