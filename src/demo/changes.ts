/** Changes to a story: one thing done otherwise, told as a function from the story as it was. */
import type { RecordType } from "../record/build.js";
import type { Party, Stage, Step, Story } from "./stage.js";

export type Change = (story: Story) => Story;

/** Other members of a step. */
export function edit(
  name: string,
  members: (s: Stage, was: { readonly [name: string]: unknown }) => object,
): Change {
  return mapStep(name, (step) => ({
    ...step,
    members: (s) => {
      const was = step.members(s) as { readonly [name: string]: unknown };
      return { ...was, ...members(s, was) };
    },
  }));
}

/** When a step says it was, and was logged, and what follows from it. */
export function dated(
  name: string,
  { at, loggedAt, members = () => ({}) }: { at?: number; loggedAt?: number; members?: (s: Stage) => object },
): Change {
  return (story) =>
    mapStep(name, (step) => ({
      ...step,
      at: at ?? step.at,
      ...(loggedAt === undefined ? {} : { loggedAt }),
    }))(edit(name, members)(story));
}

export function signedBy(name: string, by: string): Change {
  return mapStep(name, (step) => ({ ...step, by }));
}

export function withhold(...names: readonly string[]): Change {
  return (story) =>
    names.reduce((changed, name) => mapStep(name, (step) => ({ ...step, withheld: true }))(changed), story);
}

export function drop(...names: readonly string[]): Change {
  return (story) => ({ ...story, steps: story.steps.filter(({ name }) => !names.includes(name)) });
}

export function move(name: string, where: "before" | "after", other: string): Change {
  return (story) => {
    const moved = story.steps.filter((step) => step.name === name);
    return insert(where, other, ...moved)(drop(name)(story));
  };
}

export function insert(where: "before" | "after", other: string, ...steps: readonly Step[]): Change {
  return (story) => ({
    ...story,
    steps: story.steps.flatMap((step) =>
      step.name !== other ? [step] : where === "before" ? [...steps, step] : [step, ...steps],
    ),
  });
}

/** A step again under another name, with other members. */
export function again(name: string, as: string, members: (s: Stage) => object): Change {
  return (story) => {
    const found = story.steps.find((step) => step.name === name);
    if (found === undefined) throw new RangeError(`there is no step ${name}`);
    const copy: Step = { ...found, name: as, members: (s) => ({ ...found.members(s), ...members(s) }) };
    return insert("after", name, copy)(story);
  };
}

export function party(name: string, is: Partial<Party> & Pick<Party, "id" | "roles">): Change {
  return (story) => ({
    ...story,
    parties: { ...story.parties, [name]: { domain: "elsewhere", ...story.parties[name], ...is } },
  });
}

export function subject(name: string): Change {
  return (story) => ({ ...story, subject: name });
}

export function mapStep(name: string, map: (step: Step) => Step): Change {
  return (story) => {
    if (!story.steps.some((step) => step.name === name)) throw new RangeError(`there is no step ${name}`);
    return { ...story, steps: story.steps.map((step) => (step.name === name ? map(step) : step)) };
  };
}

/** A step of a type that the table below only needs now and then. */
export function extra(
  type: RecordType,
  name: string,
  by: string,
  at: number,
  members: (s: Stage) => object,
): Step {
  return { type, name, by, at, members };
}

export function revoke(
  by: string,
  at: number,
  target: (s: Stage) => object,
  more: (s: Stage) => object = () => ({}),
): Step {
  return extra("revocation", "revocation", by, at, (s) => ({
    target: target(s),
    action: "revoke",
    reason: "as the story goes",
    ...more(s),
  }));
}
