/* One reason for which messages are rejected: what it means, and what to do. */
import { nameReason } from '../format';
import { Notice } from '../parts/Notice';
import { adviceFor, partsOf } from '../rejected';

export function Rejected({ reason }: { reason: string }) {
  const advice = adviceFor(reason);

  return (
    <>
      <div className="heading">
        <div>
          <h1 tabIndex={-1}>Rejected: {nameReason(reason)}</h1>
          <p className="source">What it means, and what to do</p>
        </div>
        <a className="button" href="#/system">
          System
        </a>
      </div>
      {advice ? (
        <section className="card advice" aria-label="What to do">
          {advice.paragraphs.map((paragraph) => (
            <Paragraph key={paragraph} text={paragraph} />
          ))}
          <p>
            The messages: <code>collector --rejected --reason {reason}</code>. Again, once it is mended:{' '}
            <code>collector --rejected --resubmit --reason {reason}</code>
          </p>
        </section>
      ) : (
        <Notice kind="warning" title="This page does not know that reason">
          A newer collector may: see docs/REJECTED.md of its version, and <code>collector --rejected</code>.
        </Notice>
      )}
    </>
  );
}

const Paragraph = ({ text }: { text: string }) => (
  <p>
    {partsOf(text).map((part, i) => (part.isCode ? <code key={i}>{part.text}</code> : <span key={i}>{part.text}</span>))}
  </p>
);
