/* Whose times these are, beside all of them; a click changes to UTC and back. */
import { serverNow } from '../clock';
import { isOwnUtc, setUtc, shortZone, useZone } from '../zone';

export function ZoneSwitch() {
  const zone = useZone();
  const short = shortZone(serverNow());
  const label = `Times: ${zone === short ? zone : `${zone}, ${short}`}`;
  const whole = `${label}. Change to ${zone === 'UTC' ? 'local time' : 'UTC'}`;

  const [, gmt, rest] = /^(GMT(?=.))?(.*)/.exec(short)!;
  const text = (
    <>
      {gmt ? <span className="gmt">{gmt}</span> : null}
      {rest}
    </>
  );

  return isOwnUtc ? (
    <span className="zone" title={label}>
      {text}
    </span>
  ) : (
    <button type="button" className="zone" onClick={() => setUtc(zone !== 'UTC')} aria-label={whole} title={whole}>
      {text}
    </button>
  );
}
