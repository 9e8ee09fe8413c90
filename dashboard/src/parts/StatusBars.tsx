import type { Statuses } from '../contract';
import { formatCount } from '../format';
import { Share } from './Share';
import { StatusMark } from './StatusMark';

/** How often a device had which status. */
export function StatusBars({ statuses }: { statuses: Statuses }) {
  const entries = Object.entries(statuses);
  const total = entries.reduce((sum, [, count]) => sum + count, 0);

  return (
    <table className="status-bars">
      <caption className="unseen">Readings by status</caption>
      <thead className="unseen">
        <tr>
          <th scope="col">Status</th>
          <th scope="col">Readings</th>
          <th scope="col">Share</th>
        </tr>
      </thead>
      <tbody>
        {entries.map(([status, count]) => (
          <tr key={status}>
            <th scope="row">
              <StatusMark status={status} />
            </th>
            <td className="number">{formatCount(count)}</td>
            <td>
              <Share count={count} total={total} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
