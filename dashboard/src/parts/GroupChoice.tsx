/* One of the groups that devices say they are of, or all; nothing where no device is of any. */
import { useQuery } from '../api';
import type { Groups } from '../contract';
import { formatCount } from '../format';
import { visible } from '../ids';
import { useTick } from '../live';

interface GroupChoiceProps {
  group: string | undefined;
  /** '' for all. */
  onChoose: (group: string) => void;
}

const LOOK_AGAIN_S = 60;

export function GroupChoice({ group: chosen = '', onChoose }: GroupChoiceProps) {
  const { data } = useQuery<Groups>('groups', useTick(LOOK_AGAIN_S));
  const groups = data?.groups ?? [];

  if (!groups.length && !chosen) return null;
  return (
    <select aria-label="Group" value={chosen} onChange={(event) => onChoose(event.currentTarget.value)}>
      <option value="">All groups</option>
      {chosen && !groups.some(({ group }) => group === chosen) ? <option value={chosen}>{visible(chosen)}</option> : null}
      {groups.map(({ group, devices }) => (
        <option key={group} value={group}>
          {visible(group)} ({formatCount(devices)})
        </option>
      ))}
    </select>
  );
}
