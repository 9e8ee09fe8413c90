/* A part of a whole, as a bar and in per cent: 40 % fill two fifths of the track. */
export const Share = ({ count, total }: { count: number; total: number }) => (
  <div className="share">
    <span className="track" aria-hidden="true">
      <i style={{ width: `${total > 0 ? (100 * count) / total : 0}%` }} />
    </span>
    <span className="number">{total > 0 ? `${((100 * count) / total).toFixed(1)} %` : '–'}</span>
  </div>
);
