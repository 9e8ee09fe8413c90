/* Who is beyond a threshold now: all of them, the one that crossed last first. */
import { useQuery } from '../api';
import type { Thresholds } from '../contract';
import { formatCount, nameFeature } from '../format';
import { isolate } from '../ids';
import { useLive, useTick } from '../live';
import { deviceHref, formatRoute, navigate, thresholdsQuery, type ThresholdsRoute } from '../router';
import { Age } from '../parts/Age';
import { Choice } from '../parts/Choice';
import { Called, DeviceId } from '../parts/DeviceId';
import { GroupChoice } from '../parts/GroupChoice';
import { Loading, Notice, ProblemNotice } from '../parts/Notice';
import { Pager } from '../parts/Pager';
import { Search } from '../parts/Search';
import { boardsHref, nameLimit, withUnit } from '../thresholds';

const PER_PAGE = 50;
const LOOK_AGAIN_S = 2;

type One = Thresholds['devices'][number];

const sideOf = ({ below }: One) => (below === undefined ? 'above' : 'below');
const limitOf = (one: One) => ({ feature: one.feature, side: sideOf(one), limit: (one.below ?? one.above)! }) as const;

export function Beyond({ route }: { route: ThresholdsRoute }) {
  const { feature, side, q = '', group = '', after } = route;
  const thresholds = useLive((state) => state.thresholds);
  const query = useQuery<Thresholds>(`thresholds?${new URLSearchParams({ limit: String(PER_PAGE), ...thresholdsQuery(route) })}`, useTick(LOOK_AGAIN_S));
  const page = query.data;
  const chosen = thresholds.find((one) => one.feature === feature && one.side === side);
  const options = [
    { value: ' ', label: 'All' },
    ...thresholds.map((one) => ({ value: `${one.feature} ${one.side}`, label: `${nameFeature(one.feature).label} ${nameLimit(one)}` })),
  ];

  return (
    <>
      <div className="heading">
        <div>
          <h1 tabIndex={-1}>Beyond a threshold</h1>
          <p className="source">{page ? `${formatCount(page.total)} ${q || group ? 'found' : 'now'}, by what devices sent last` : <>&nbsp;</>}</p>
        </div>
        <div className="choices">
          <Choice
            label="Threshold"
            options={options.filter(({ value }, i) => options.findIndex((one) => one.value === value) === i)}
            value={`${feature} ${side}`}
            onChoose={(value) => {
              const [of = '', beyond = ''] = value.split(' ');
              navigate({ ...route, feature: of, side: beyond as ThresholdsRoute['side'], after: '' });
            }}
          />
          <GroupChoice group={group} onChoose={(chosen) => navigate({ ...route, group: chosen, after: '' })} />
          <Search q={q} onSearch={(text) => navigate({ ...route, q: text, after: '' }, 'replace')} />
          {chosen ? (
            <a className="button" href={boardsHref(chosen)}>
              Farthest beyond
            </a>
          ) : null}
        </div>
      </div>
      {page?.notHeard.map((id) => (
        <Notice key={id} kind="warning" title="Not all of them">
          The collector <DeviceId id={id} /> is not live: which of its devices are beyond now is not known.
        </Notice>
      ))}
      {query.problem ? <ProblemNotice problem={query.problem} onRetry={query.reload} hasOld={page !== null} /> : null}
      {!page && !query.problem ? <Loading what="devices" /> : null}
      {page?.devices.length === 0 ? <Nobody hasAny={thresholds.length > 0} route={route} /> : null}
      {page?.devices.length ? (
        <section className="card" aria-label="Devices">
          <Table devices={page.devices} />
          <Pager
            newest={after ? { href: formatRoute({ ...route, after: '' }), label: 'Those that crossed last' } : null}
            next={page.next === null ? null : { href: formatRoute({ ...route, after: page.next }), perPage: PER_PAGE }}
          />
        </section>
      ) : null}
    </>
  );
}

function Nobody({ hasAny, route }: { hasAny: boolean; route: ThresholdsRoute }) {
  const { q = '', group = '', after } = route;

  if (!hasAny)
    return (
      <Notice title="No threshold is set">
        <code>THRESHOLDS=temperature&gt;90</code> in the settings of a collector sets one.
      </Notice>
    );
  if (after) return <Notice title="No more devices" />;
  return (
    <Notice
      title={`No device is beyond a threshold${q ? ` that has “${isolate(q)}” in its id or label` : ''}${group ? `${q ? ', ' : ' '}of the group “${isolate(group)}”` : ''}`}
      action={
        q || group ? (
          <a className="button" href={formatRoute({ ...route, q: '', group: '' })}>
            All devices
          </a>
        ) : null
      }
    />
  );
}

const Table = ({ devices }: { devices: Thresholds['devices'] }) => (
  <table className="plain crossings">
    <thead>
      <tr>
        <th scope="col">Device</th>
        <th scope="col">Beyond</th>
        <th scope="col" className="number">
          Crossed with
        </th>
        <th scope="col" className="number">
          Ago
        </th>
      </tr>
    </thead>
    <tbody>
      {devices.map((one) => (
        <tr key={`${one.collectorId} ${one.feature} ${sideOf(one)} ${one.deviceId}`}>
          <th scope="row">
            <a href={deviceHref(one.deviceId)}>
              <DeviceId id={one.deviceId} />
            </a>
            <Called label={one.about?.label} />
          </th>
          <td>
            {nameFeature(one.feature).label} {nameLimit(limitOf(one))}
          </td>
          <td className="number">
            <span className={`beyond ${sideOf(one)}`}>{withUnit(one.feature, one.value)}</span>
          </td>
          <td className="number">
            <Age at={one.since} />
          </td>
        </tr>
      ))}
    </tbody>
  </table>
);
