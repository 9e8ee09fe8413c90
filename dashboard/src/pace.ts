/* How often the page draws what comes all the time: what comes first at once, the next some time later, together. Twelve
 * boards of a hundred devices change with every reading: drawn with each frame they would leave none to the rows that slide
 * and the hand that scrolls, and nobody reads sixty orders a second. */

/** Runs what is given before a drawing, at least `apartMs` after what was given before. */
export function paced(apartMs: number, frame: (draw: () => void) => void): (draw: () => void) => void {
  let next = 0;

  return (draw) => {
    const begin = () =>
      frame(() => {
        next = performance.now() + apartMs;
        draw();
      });
    const wait = next - performance.now();

    if (wait > 0) setTimeout(begin, wait);
    else begin();
  };
}
