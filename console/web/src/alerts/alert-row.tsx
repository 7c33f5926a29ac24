import { memo, type MouseEvent } from 'react';
import { Link } from 'wouter';
import type { AlertRowFragment } from '../gql/graphql.ts';
import { number } from '../lib/time.ts';
import { SeverityMark } from '../ui/badges.tsx';
import { CheckIcon, EyeIcon, PersonIcon, ServerIcon, SilenceIcon } from '../ui/icons.tsx';
import { Ago } from '../ui/time.tsx';
import { stateNames } from './words.ts';

export type RowProps = {
  alert: AlertRowFragment;
  href: string;
  isOpen: boolean;
  isFresh: boolean;
  isSelected: boolean;
  onSelect: ((id: string, range: boolean) => void) | null; // null = it cannot be selected
  onFocus: (id: string) => void;
  onAgain: () => void; // what is open is opened once more
};

const mostShown = 500; // characters of a message: no line is that wide

export const AlertRow = memo(function AlertRow({ alert, href, isOpen, isFresh, isSelected, onSelect, onFocus, onAgain }: RowProps) {
  const { severity, type, message, rustbucket, occurrences, state, assignee, acknowledgedBy, silence, createdAt } = alert;
  const classes = ['row', 'alert-row', severity.toLowerCase(), state.toLowerCase(), isOpen && 'is-open', isFresh && 'fresh', isSelected && 'selected'];
  return (
    <div className={classes.filter(Boolean).join(' ')}>
      {onSelect && (
        <input
          type="checkbox"
          aria-label={`Select alert ${alert.id}`}
          checked={isSelected}
          onChange={() => {}}
          onClick={(event: MouseEvent) => onSelect(alert.id, event.shiftKey)}
        />
      )}
      <Link href={href} data-row aria-current={isOpen || undefined} onFocus={() => onFocus(alert.id)} onClick={isOpen ? onAgain : undefined}>
        <SeverityMark severity={severity} />
        <span className="type">{type}</span>
        <span className="message" dir="auto">{message.slice(0, mostShown)}</span>
        <span className="facts">
          {occurrences > 1 && (
            <span className="times" title={`Reported ${number(occurrences)} times`}>
              ×{number(occurrences)}
            </span>
          )}
          {silence && (
            <span className="fact" title="A silence held for it">
              <SilenceIcon />
              <span className="hidden">Silenced</span>
            </span>
          )}
          {rustbucket && (
            <span className="fact rustbucket" title={`Rustbucket ${rustbucket.id}`}>
              <ServerIcon />
              <span>{rustbucket.name}</span>
            </span>
          )}
          {assignee && (
            <span className="fact assignee" title={`Assigned to ${assignee}`}>
              <PersonIcon />
              <span>{assignee}</span>
            </span>
          )}
          {state !== 'OPEN' && (
            <span className={`fact state-mark ${state.toLowerCase()}`} title={state === 'ACKNOWLEDGED' && acknowledgedBy ? `Acknowledged by ${acknowledgedBy}` : stateNames[state]}>
              {state === 'RESOLVED' ? <CheckIcon /> : <EyeIcon />}
              <span>{stateNames[state]}</span>
            </span>
          )}
        </span>
        <Ago at={createdAt} className="when" />
      </Link>
    </div>
  );
});
