/* Up to eight devices on one plot for each feature. Which, and of what time, stands in the URL. */
import { useEffect, useState } from 'preact/compat';
import { useQuery } from '../api';
import type { ComparedPoints, Devices as DevicesAnswer } from '../contract';
import { formatCount, formatLength, formatRange } from '../format';
import { rangeParams, type Range } from '../history';
import { LONGEST_ID, visible } from '../ids';
import { useLive, useTick } from '../live';
import { deviceHref, MOST_COMPARED, navigate, withDevices, type CompareRoute } from '../router';
import { Comparison, Line } from '../parts/Comparison';
import { Called, DeviceId } from '../parts/DeviceId';
import { GroupChoice } from '../parts/GroupChoice';
import { Loading, Notice, ProblemNotice } from '../parts/Notice';
import { TimeChoice, ZoomButtons } from '../parts/PlotTime';
import { usePlotted } from '../plotted';
import { zoneName } from '../zone';

const LOOK_AGAIN_S = 5;
const FOUND = 8;
const TYPING_MS = 250;

export function Compare({ route }: { route: CompareRoute }) {
  const { devices } = route;
  const set = (to: string[]) => navigate({ ...route, devices: to });

  return (
    <>
      <div className="heading">
        <div>
          <h1 tabIndex={-1}>Compare</h1>
          <p className="source">
            {devices.length} of {MOST_COMPARED} devices
          </p>
        </div>
        <div className="choices">
          <TimeChoice route={route} />
          <Adding devices={devices} onAdd={(id) => set([...devices, id])} />
        </div>
      </div>
      {devices.length === 0 ? (
        <Notice title="No device is chosen">
          Add devices by a part of their ids, or come here from a board or a device. Each gets a line on one plot for each feature.
        </Notice>
      ) : (
        <Plots route={route} onRemove={(id) => set(devices.filter((one) => one !== id))} />
      )}
    </>
  );
}

/** Devices by a part of their ids; it stays open, since one of them is not enough. */
function Adding({ devices, onAdd }: { devices: string[]; onAdd: (id: string) => void }) {
  const [isOpen, setIsOpen] = useState(false);
  const [text, setText] = useState('');
  const [asked, setAsked] = useState('');
  const [group, setGroup] = useState('');
  const isFull = devices.length >= MOST_COMPARED;
  const params = new URLSearchParams({ limit: String(FOUND), ...(asked ? { q: asked } : {}), ...(group ? { group } : {}) });
  const query = useQuery<DevicesAnswer>(isOpen && !isFull ? `devices?${params}` : null);
  const found = query.data?.devices ?? [];

  useEffect(() => {
    const timer = setTimeout(() => setAsked(text.trim()), TYPING_MS);
    return () => clearTimeout(timer);
  }, [text]);

  return (
    <details
      className="spans adding"
      onToggle={(event) => setIsOpen(event.currentTarget.open)}
      onKeyDown={(event) => {
        if (event.key !== 'Escape' || !event.currentTarget.open) return;
        event.currentTarget.open = false;
        event.currentTarget.querySelector('summary')?.focus();
      }}
    >
      <summary className="button">Add device</summary>
      <form className="card" onSubmit={(event) => event.preventDefault()}>
        {isFull ? (
          <p className="source" role="status">
            {MOST_COMPARED} devices are as many as can be told apart. Remove one first.
          </p>
        ) : (
          <>
            <label>
              Part of an id or label
              <input
                type="search"
                maxLength={LONGEST_ID}
                value={text}
                onInput={(event) => setText(event.currentTarget.value)}
                autoComplete="off"
                spellcheck={false}
              />
            </label>
            {isOpen ? <GroupChoice group={group} onChoose={setGroup} /> : null}
            {query.problem ? <ProblemNotice problem={query.problem} onRetry={query.reload} /> : null}
            <ul aria-label="Found">
              {found.map(({ deviceId, about }) => (
                <li key={deviceId}>
                  <button type="button" disabled={devices.includes(deviceId)} onClick={() => onAdd(deviceId)}>
                    <DeviceId id={deviceId} />
                    <Called label={about?.label} />
                  </button>
                </li>
              ))}
            </ul>
            <p className="source" role="status">
              {!query.data
                ? 'Searching …'
                : query.data.total > found.length
                  ? `The first ${found.length} of ${formatCount(query.data.total)}`
                  : `${formatCount(query.data.total)} found`}
            </p>
          </>
        )}
      </form>
    </details>
  );
}

function Plots({ route, onRemove }: { route: CompareRoute; onRemove: (id: string) => void }) {
  const { devices } = route;
  const tick = useTick(LOOK_AGAIN_S);
  const asked = withDevices('readings', 'deviceId', devices);
  const time = (of: Range | null) => (of ? `&${new URLSearchParams(rangeParams(of))}` : '');
  const pathOf = (of: Range | null, points: number) => `${asked}${time(of)}&points=${points}`;
  const { query, range: drawn, steps } = usePlotted<ComparedPoints>(route, asked, tick, pathOf);
  const answer = query.data;
  const names = useLive((state) => state.names?.features);
  const features = names ?? Object.keys(answer?.devices.find(({ points }) => points.length)?.points[0] ?? {}).filter((name) => name !== 'timestamp' && name !== 'count');
  const go = (to: Range) => navigate({ ...route, ...to });
  const unknown = answer?.devices.filter(({ isKnown }) => !isKnown) ?? [];

  return (
    <section className="card" aria-labelledby="compared-title">
      <header>
        <h2 id="compared-title">Devices</h2>
        <div className="tools">
          <ZoomButtons shown={drawn} onChoose={go} />
          <a className="button" href={`${pathOf(steps.of, steps.points)}&format=csv`} download title="The steps of these plots">
            Steps as CSV
          </a>
          <a className="button" href={`${asked}${time(steps.of)}&format=csv`} download title="Every reading of these devices in the time shown">
            Readings as CSV
          </a>
        </div>
      </header>
      <ul className="compared">
        {devices.map((id, device) => (
          <li key={id}>
            <Line device={device} />
            <a href={deviceHref(id)}>
              <DeviceId id={id} />
            </a>
            <Called label={answer?.devices[device]?.label} />
            <button type="button" className="link" onClick={() => onRemove(id)} aria-label={`Remove ${visible(id)}`}>
              remove
            </button>
          </li>
        ))}
      </ul>
      <p className="source">
        {drawn && answer ? (
          <>
            {formatRange(drawn.from, drawn.to)} ({zoneName()})
            {answer.stepMs ? `, a step is ${formatLength(answer.stepMs)}` : null}: means, with what lies between lowest and highest
          </>
        ) : (
          <>&nbsp;</>
        )}
      </p>
      {unknown.length ? (
        <Notice kind="warning" title={unknown.length === 1 ? 'A device is not known' : `${unknown.length} devices are not known`}>
          {unknown.map(({ deviceId }, i) => (
            <>
              {i > 0 ? ', ' : null}“<DeviceId id={deviceId} />”
            </>
          ))}{' '}
          never sent a reading. Ids are matched letter by letter.
        </Notice>
      ) : null}
      {query.problem ? <ProblemNotice problem={query.problem} onRetry={query.reload} hasOld={answer !== null} /> : null}
      {!answer && !query.problem ? <Loading what="the history" room={20} /> : null}
      {answer && answer.devices.every(({ points }) => points.length === 0) ? <Notice title="No reading in this time" /> : null}
      {answer && answer.devices.some(({ points }) => points.length > 0)
        ? features.map((feature) => (
            <Comparison
              key={`${asked} ${feature}`}
              answer={answer}
              feature={feature}
              range={drawn}
              onZoom={go}
              onReset={() => navigate({ ...route, from: null, to: null })}
            />
          ))
        : null}
    </section>
  );
}
