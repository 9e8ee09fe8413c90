/* Messages that were rejected, as they came: how many in each hour and why, what to do, and the newest of them, live. */
import { useMemo, useState } from 'preact/compat';
import { getText, useQuery } from '../api';
import { useNow } from '../clock';
import type { RejectedCounts, RejectedMessage, RejectedPage } from '../contract';
import { formatCount, formatMoment, formatNear, nameReason } from '../format';
import { LONGEST_ID } from '../ids';
import { useTick } from '../live';
import { deviceHref, formatRoute, navigate, rejectedHref, type RejectedRoute } from '../router';
import { Choice } from '../parts/Choice';
import { DeviceId } from '../parts/DeviceId';
import { Loading, Notice, ProblemNotice } from '../parts/Notice';
import { Pager } from '../parts/Pager';
import { RejectedHours } from '../parts/RejectedHours';
import { zoneName } from '../zone';
import { adviceFor, documentUrl, dump, partsOf, tally } from '../rejected';

const PER_PAGE = 50;
const BYTES = 2000;
const LOOK_AGAIN_S = 2;
const COUNT_AGAIN_S = 10;
const HOURS = 7 * 24;
const HOUR_MS = 3_600_000;
const ADVICE_REM = 8; /* how high it is, mostly */

export function Rejected({ route }: { route: RejectedRoute }) {
  const { reason, device, after } = route;
  const [pausedAt, setPausedAt] = useState<number | null>(null);
  const tick = useTick(LOOK_AGAIN_S);
  const filter = new URLSearchParams({ ...(reason ? { reason } : {}), ...(device ? { device } : {}) }).toString();
  const more = new URLSearchParams({ limit: String(PER_PAGE), bytes: String(BYTES), ...(after ? { after } : {}) });
  const query = useQuery<RejectedPage>(`rejected?${filter ? `${filter}&` : ''}${more}`, after ? 0 : (pausedAt ?? tick));
  const page = query.data;

  return (
    <>
      <div className="heading">
        <div>
          <h1 tabIndex={-1}>{reason ? <>Rejected: {nameReason(reason)}</> : 'Rejected'}</h1>
          <p className="source">
            {page?.since ? `Kept since ${formatMoment(Date.parse(page.since))}; what was older is deleted` : 'What came and is no reading, kept as it came'}
          </p>
        </div>
        <div className="choices">
          <form
            className="search bare"
            onSubmit={(event) => {
              event.preventDefault();
              const typed = new FormData(event.currentTarget).get('device') as string;
              navigate({ ...route, device: typed.trim(), after: '' });
            }}
          >
            <label>
              <span className="unseen">Only of the device</span>
              <input key={device} name="device" type="search" placeholder="Id of a device" maxLength={LONGEST_ID} defaultValue={device} autoComplete="off" spellcheck={false} />
            </label>
          </form>
          {after ? null : (
            <button type="button" aria-pressed={pausedAt !== null} onClick={() => setPausedAt(pausedAt === null ? tick : null)}>
              {pausedAt === null ? 'Pause' : 'Go on'}
            </button>
          )}
          <a className="button" href={`rejected?${filter ? `${filter}&` : ''}format=jsonl`} download>
            Download
          </a>
        </div>
      </div>
      <Counts route={route} />
      {reason ? <WhatToDo reason={reason} /> : null}
      {query.problem ? <ProblemNotice problem={query.problem} onRetry={query.reload} hasOld={page !== null} /> : null}
      {!page && !query.problem ? <Loading what="messages" /> : null}
      {page?.messages.length === 0 ? (
        <Notice title={after ? 'No more messages' : filter ? 'No such message is kept' : 'No rejected message is kept'}>
          {filter && !after ? <a href={rejectedHref('')}>All that were rejected</a> : null}
        </Notice>
      ) : null}
      {page?.messages.length ? (
        <section className="card" aria-label="Messages">
          <Messages messages={page.messages} route={route} />
          <Pager
            newest={after ? { href: rejectedHref(reason, device), label: 'Newest' } : null}
            next={page.next === null ? null : { href: formatRoute({ ...route, after: page.next }), perPage: PER_PAGE }}
          />
        </section>
      ) : null}
    </>
  );
}

/** Of the fleet, whichever device is asked about. */
function Counts({ route }: { route: RejectedRoute }) {
  const { reason } = route;
  const from = (Math.floor(useNow() / HOUR_MS) - HOURS + 1) * HOUR_MS;
  const query = useQuery<RejectedCounts>(`rejected/counts?${new URLSearchParams({ from: new Date(from).toISOString() })}`, useTick(COUNT_AGAIN_S));
  const counts = query.data;
  const sums = useMemo(() => (counts ? tally(counts, reason, from, HOURS) : null), [counts, reason, from]);

  if (!counts || !sums)
    return query.problem ? <ProblemNotice problem={query.problem} onRetry={query.reload} /> : <Loading what="counts" room={10} />;
  const isThere = sums.reasons.some((one) => one.reason === reason);
  const options = [
    { value: '', label: `All ${formatCount(counts.total)}` },
    ...sums.reasons.map((one) => ({ value: one.reason, label: `${nameReason(one.reason)} ${formatCount(one.count)}` })),
    ...(reason && !isThere ? [{ value: reason, label: `${nameReason(reason)} 0` }] : []),
  ];

  return (
    <section className="card rejected-counts" aria-labelledby="counts-title">
      <header>
        <h2 id="counts-title">Past week</h2>
        <p className="source">
          {counts.since && Date.parse(counts.since) > from ? `counted since ${formatMoment(Date.parse(counts.since))}` : 'all devices'}
        </p>
      </header>
      <RejectedHours tally={sums} />
      <Choice label="Reason" options={options} value={reason} onChoose={(value) => navigate({ ...route, reason: value, after: '' })} />
    </section>
  );
}

function WhatToDo({ reason }: { reason: string }) {
  const query = useQuery(documentUrl, 0, getText);
  const advice = query.data === null ? null : adviceFor(query.data, reason);

  if (query.data === null)
    return query.problem ? (
      <>
        <ProblemNotice problem={query.problem} onRetry={query.reload} />
        <p className="source">What to do about it stands in docs/REJECTED.md, too.</p>
      </>
    ) : (
      <Loading what="what to do" room={ADVICE_REM} />
    );
  if (!advice)
    return (
      <Notice kind="warning" title="This page does not know that reason">
        A newer collector may: see docs/REJECTED.md of its version, and <code>collector --rejected</code>.
      </Notice>
    );
  return (
    <section className="card advice" aria-label="What to do">
      {advice.paragraphs.map((paragraph) => (
        <Paragraph key={paragraph} text={paragraph} />
      ))}
      <p>
        Again, once it is mended: <code>collector --rejected --resubmit --reason {reason}</code>
      </p>
    </section>
  );
}

const Paragraph = ({ text }: { text: string }) => (
  <p>
    {partsOf(text).map((part, i) => (part.isCode ? <code key={i}>{part.text}</code> : <span key={i}>{part.text}</span>))}
  </p>
);

function Messages({ messages, route }: { messages: readonly RejectedMessage[]; route: RejectedRoute }) {
  return (
    <table className="plain rejected">
      <thead>
        <tr>
          <th scope="col">Received ({zoneName()})</th>
          <th scope="col">Device</th>
          {route.reason ? null : <th scope="col" className="wide">Reason</th>}
          <th scope="col">Payload</th>
        </tr>
      </thead>
      <tbody>
        {messages.map((message) => (
          <Message key={message.id} message={message} hasReason={!route.reason} />
        ))}
      </tbody>
    </table>
  );
}

const FIRST_LETTERS = 200;

function Message({ message, hasReason }: { message: RejectedMessage; hasReason: boolean }) {
  const { receivedAt, deviceId, reason, payload, payloadBase64, payloadBytes } = message;
  const [isOpen, setOpen] = useState(false);
  const at = Date.parse(receivedAt);
  const shown = payload ?? dump(payloadBase64 ?? '');
  const isWhole = payloadBytes <= BYTES;

  return (
    <tr>
      <td>
        <time dateTime={receivedAt} title={receivedAt}>
          {formatNear(at, Date.now())}
        </time>
      </td>
      <td>
        {deviceId === null ? (
          'not known'
        ) : (
          <a href={deviceHref(deviceId)}>
            <DeviceId id={deviceId} />
          </a>
        )}
      </td>
      {hasReason ? (
        <td className="wide">
          <a href={rejectedHref(reason)}>{nameReason(reason)}</a>
        </td>
      ) : null}
      <td className="payload">
        <details onToggle={(event) => setOpen(event.currentTarget.open)}>
          <summary>
            <code>{shown.slice(0, FIRST_LETTERS) || 'nothing'}</code>
          </summary>
          {isOpen ? (
            <>
              <p>{message.detail}</p>
              <p className="source">
                On <bdi>{message.topic}</bdi>, {payloadBytes === 1 ? '1 byte' : `${formatCount(payloadBytes)} bytes`}
                {payload === null ? ', not UTF-8' : ''}
                {isWhole ? '' : `, of which these are the first ${formatCount(BYTES)}; Download has all`}
              </p>
              <pre>{shown}</pre>
            </>
          ) : null}
        </details>
      </td>
    </tr>
  );
}
