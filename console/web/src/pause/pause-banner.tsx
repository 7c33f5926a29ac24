// Says on every page that nobody is told anything now, and how long.
import { useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { apiQuery, request } from '../api/client.ts';
import { queryClient } from '../api/queries.ts';
import { NotificationPauseDocument, ResumeNotificationsDocument } from '../gql/graphql.ts';
import { now } from '../lib/clock.ts';
import { useMay } from '../lib/roles.ts';
import { exactTime } from '../lib/time.ts';
import { Button } from '../ui/button.tsx';
import { Confirm } from '../ui/dialog.tsx';
import { SilenceIcon } from '../ui/icons.tsx';
import { Ago, Countdown } from '../ui/time.tsx';
import { toast } from '../ui/toast.tsx';

export const pauseChanged = () => queryClient.invalidateQueries({ queryKey: ['NotificationPause'] });

// The feed says nothing of it.
export const usePause = () => useQuery({ ...apiQuery(NotificationPauseDocument), staleTime: 0, refetchInterval: 15_000 }).data?.notificationPause ?? null;

export function PauseBanner() {
  const pause = usePause();
  const admin = useMay('ADMIN');
  const [resuming, setResuming] = useState(false);
  const until = pause?.until;
  useEffect(() => {
    if (!until) return;
    const timer = setTimeout(() => void pauseChanged(), Math.min(Math.max(Date.parse(until) - now(), 0) + 500, 2 ** 31 - 1));
    return () => clearTimeout(timer);
  }, [until]);
  return (
    <div role="status">
      {pause && (
        <div className="pause-banner">
          <SilenceIcon />
          <p>
            <strong>Notifications are paused:</strong> {pause.reason}{' '}
            <span className="pause-facts">
              By {pause.by} <Ago at={pause.since} />,{' '}
              {pause.until ? (
                <span title={exactTime(pause.until)}>
                  ends <Countdown at={pause.until} />
                </span>
              ) : (
                'until somebody ends it'
              )}
              . {pause.afterwards === 'TELL' ? 'What comes in meanwhile is told then.' : 'Nobody is told of what comes in meanwhile.'}
            </span>
          </p>
          {admin && <Button onClick={() => setResuming(true)}>Resume</Button>}
        </div>
      )}
      {resuming && (
        <Confirm
          title="Resume notifications?"
          action="Resume"
          onClose={() => setResuming(false)}
          run={async () => {
            const { resumeNotifications } = await request(ResumeNotificationsDocument);
            await pauseChanged();
            toast(resumeNotifications ? 'Notifications go out again' : 'They were not paused any more');
          }}
        >
          <p>{pause?.afterwards === 'DROP' ? 'What waited before the pause is told; nobody is told of what came in since.' : 'What waits is told now.'}</p>
        </Confirm>
      )}
    </div>
  );
}
