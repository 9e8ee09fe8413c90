/* To the newest ones, and on to those before these; each where there are any. */
interface PagerProps {
  newest: { href: string; label: string } | null;
  next: { href: string; perPage: number } | null;
}

export const Pager = ({ newest, next }: PagerProps) => (
  <nav className="pager" aria-label="Pages">
    {newest ? (
      <a className="button" href={newest.href}>
        {newest.label}
      </a>
    ) : null}
    {next ? (
      <a className="button" href={next.href}>
        {next.perPage} before these
      </a>
    ) : null}
  </nav>
);
