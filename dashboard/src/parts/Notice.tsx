/* What is going on, and what to do about it. */
import type { ReactNode } from 'preact/compat';
import type { Problem } from '../api';

interface NoticeProps {
  kind?: 'quiet' | 'warning' | 'problem';
  title: string;
  children?: ReactNode;
  action?: ReactNode;
}

export function Notice({ kind = 'quiet', title, children, action }: NoticeProps) {
  return (
    <div className={`notice notice-${kind}`} role={kind === 'problem' ? 'alert' : 'status'}>
      <div>
        <strong>{title}</strong>
        {children ? <p>{children}</p> : null}
      </div>
      {action}
    </div>
  );
}

const titles: Record<number, string> = { 0: 'No answer', 404: 'Not there', 503: 'Not possible right now' };

/** With `hasOld` there is an earlier answer on the screen. */
export function ProblemNotice({ problem, onRetry, hasOld }: { problem: Problem; onRetry: () => void; hasOld?: boolean }) {
  return (
    <Notice
      kind={problem.status === 404 ? 'quiet' : 'problem'}
      title={titles[problem.status] ?? 'That did not work'}
      action={
        <button type="button" onClick={onRetry}>
          Try again
        </button>
      }
    >
      {capital(problem.detail)}
      {/[.?!]$/.test(problem.detail) ? '' : '.'}
      {hasOld ? ' What you see is from before.' : ''}
      {problem.retryAfterS !== null ? ` Asking again every ${problem.retryAfterS} s.` : ''}
    </Notice>
  );
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** As high as what will stand there, in rem, so that nothing below it moves then. */
export const Loading = ({ what, room }: { what: string; room?: number }) => (
  <p className="loading" role="status" style={room ? { minHeight: `${room}rem` } : undefined}>
    <i aria-hidden="true" />
    Loading {what} …
  </p>
);
