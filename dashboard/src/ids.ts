/* Ids as people see them. A collector refuses those with characters that cannot be seen, but older rows and rejected
 * messages may have them, and any id may have two blanks where another has one: what looks alike is told apart. */

/** Of an id, or a part of one, that is searched: in letters, where ids have as many bytes. */
export const LONGEST_ID = 64;

/* What shared/base/invisible.c refuses (a test holds the two together), control characters, and every blank that is not
 * the plain one. */
const unseen = /[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu;
/* Blanks at either end, and more than one. */
const blanks = /^ +| +$| {2,}/g;

const named = (letter: string): string => `⟨U+${letter.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}⟩`;

/** With a name in the place of what cannot be seen. */
export const visible = (id: string): string =>
  id.replace(blanks, (run) => '␣'.repeat(run.length)).replace(unseen, named);

/* Stays in its order whatever stands around it: from a Latin letter on to a letter or digit. */
const steadfast = /^[a-z]([ -~]*[a-z\d])?$/i;

/** For where there are only letters, such as a title: what is written from right to left disturbs nothing around it.
 * On the screen that is <bdi>, see parts/DeviceId.tsx. */
export const isolate = (id: string): string => (steadfast.test(id) ? visible(id) : `\u2068${visible(id)}\u2069`);

/** In its letters, with the marks that belong to each. */
export const lettersOf = (id: string): string[] => id.match(/\P{M}\p{M}*|\p{M}+/gu) ?? [];
