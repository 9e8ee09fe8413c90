/* The verdict, in the head of every view: in a word, and, unless all is well, in full. */
import { useMemo } from 'preact/compat';
import { useNow } from '../clock';
import { formatAge, formatClock, formatNear } from '../format';
import { judge, type Verdict } from '../health';
import { live, useLive } from '../live';

function useVerdict(): Verdict {
  const link = useLive((state) => state.link);
  const lostAt = useLive((state) => state.lostAt);
  const status = useLive((state) => state.status);

  return useMemo(() => judge({ link, lostAt, status }, window.location.host), [link, lostAt, status]);
}

export function HealthMark() {
  const { level, worst } = useVerdict();
  const link = useLive((state) => state.link);
  const asOf = useLive((state) => state.status?.asOf);
  const title = level === 'waiting' ? 'Connecting' : level === 'ok' ? 'Live' : link === 'lost' ? 'Reconnecting' : worst!.title;

  return (
    <p className={`link-state link-${level === 'ok' ? 'live' : level}`}>
      <i aria-hidden="true" />
      <span role="status">{title}</span>
      <span className="moment">
        {level === 'ok' && asOf ? formatClock(Date.parse(asOf)) : worst?.since ? <Lasting since={worst.since} /> : null}
      </span>
    </p>
  );
}

const Lasting = ({ since }: { since: string }) => <>{formatAge(useNow() - Date.parse(since))}</>;
const Since = ({ at }: { at: string }) => <>· since {formatNear(Date.parse(at), useNow())}</>;

export function HealthNotice() {
  const { level, worst, others } = useVerdict();

  if (!worst) return null;
  return (
    <div className={`notice notice-${level === 'broken' ? 'problem' : 'warning'}`} role={level === 'broken' ? 'alert' : 'status'}>
      <div>
        <strong>{worst.title}</strong> {worst.since ? <Since at={worst.since} /> : null}
        <p>{worst.meaning}</p>
        <p>{worst.action}</p>
        {others.length ? <p>Also: {others.map((one) => one.title).join('; ')}.</p> : null}
      </div>
      {worst.code === 'link_lost' ? (
        <button type="button" onClick={live.retry}>
          Try now
        </button>
      ) : null}
    </div>
  );
}
