/** Notifications: the channels by which people are told who are not connected, a test of each, and the record. */
import type { ChannelFacts, NoticeFacts } from '../../live/contract';
import { call } from '../../live/connection';
import { full, moment, visible } from '../../live/formats';
import { nameOf } from '../../live/state';
import { ActionButton, change, RefusalText, toast, useWork } from '../../parts/actions';
import { Icon } from '../../parts/icons';
import { Empty, Failed, Skeleton, useAsked } from '../../parts/notices';
import { Severity, type SeverityName } from '../../parts/severity';
import { type Column, CsvButton, Table } from '../../parts/table';
import { say } from '../../words/words';
import { w } from './words';

export function Notifications() {
  const asked = useAsked(() => call('notification:list'), []);
  const work = useWork();
  if (!asked.reply) return asked.error ? <Failed error={asked.error} again={asked.again} /> : <Skeleton />;
  const { channels, notices } = asked.reply;
  if (channels.length === 0) {
    return (
      <Empty icon="clock" title={w.noChannel} act={<a href="/settings/configuration">{w.toConfiguration}</a>}>
        {w.noChannelWhy}
      </Empty>
    );
  }
  const tryOut = (channel: string) =>
    work.run(async (wait) => {
      const found = await change('notification:test', { channel }, wait);
      asked.again();
      toast(found.delivered ? say(w.taken, { channel }) : say(w.notTaken, { channel, fault: visible(found.fault ?? '') }));
    });
  const columns = channelColumns(work.isBusy, tryOut);
  return (
    <>
      <section class="sheet" aria-labelledby="channels">
        <header>
          <h2 id="channels">{w.channels}</h2>
          <span class="period">{w.channelsNote}</span>
          <span class="push" />
          <CsvButton name="channels" rows={channels} columns={columns} />
        </header>
        <Table name={w.channels} rows={channels} columns={columns} rowKey={(one) => one.channel} />
        <footer>
          <RefusalText of={work} />
          <span class="dim">{w.channelsHow}</span>
        </footer>
      </section>
      <section class="sheet" aria-labelledby="told">
        <header>
          <h2 id="told">{w.told}</h2>
          <span class="period">{w.toldNote}</span>
          <span class="push" />
          <CsvButton name="notices" rows={notices} columns={NOTICES} />
        </header>
        {notices.length === 0 ? <p class="pad dim">{w.nothingTold}</p> : <Table name={w.told} rows={notices} columns={NOTICES} rowKey={(one) => String(one.number)} />}
      </section>
    </>
  );
}

function channelColumns(isBusy: boolean, tryOut: (channel: string) => unknown): Column<ChannelFacts>[] {
  return [
    { key: 'channel', head: w.channel, cell: (one) => <b class="cut">{one.channel}</b>, sort: (one) => one.channel, csv: (one) => one.channel, fold: 'top' },
    { key: 'target', head: w.target, cell: (one) => <span class="cut" title={visible(one.target)}>{w.kinds[one.kind as keyof typeof w.kinds] ?? one.kind}: {visible(one.target)}</span>, csv: (one) => `${one.kind}: ${one.target}`, fold: 'top' },
    { key: 'delivered', head: w.delivered, cell: (one) => (one.deliveredAt ? <span title={full(one.deliveredAt)}>{moment(one.deliveredAt)}</span> : w.never), csv: (one) => one.deliveredAt ?? null, fold: 'low' },
    { key: 'state', head: w.state, cell: (one) => <State of={one} />, csv: (one) => one.fault ?? '', fold: 'low full' },
    { key: 'waiting', head: w.waiting, cell: (one) => one.waiting, isNumber: true, csv: (one) => one.waiting, fold: 'low' },
    { key: 'givenUp', head: w.givenUp, cell: (one) => one.givenUp, isNumber: true, csv: (one) => one.givenUp, fold: 'gone' },
    {
      key: 'actions',
      head: w.test,
      isHeadHidden: true,
      isNumber: true,
      fold: 'low full',
      cell: (one) => (
        <ActionButton class="s" label={say(w.testName, { channel: one.channel })} disabled={isBusy} inMaintenance onClick={() => tryOut(one.channel)}>
          {w.test}
        </ActionButton>
      ),
    },
  ];
}

function State({ of: one }: { of: ChannelFacts }) {
  if (!one.fault) return <>{one.deliveredAt ? w.works : w.untried}</>;
  return (
    <span class="state warn-ink" title={one.faultAt && full(one.faultAt)}>
      <Icon name="warn" />
      {visible(one.fault)}
    </span>
  );
}

const NOTICES: Column<NoticeFacts>[] = [
  { key: 'at', head: w.at, cell: (one) => <span title={full(one.at)}>{moment(one.at)}</span>, sort: (one) => one.at, csv: (one) => one.at, fold: 'top' },
  { key: 'severity', head: w.severity, cell: (one) => <Severity of={one.severity as SeverityName} />, csv: (one) => one.severity, fold: 'top' },
  { key: 'department', head: w.of, cell: (one) => <span class="cut" dir="auto">{one.departmentId === null ? w.appliance : visible(nameOf(one.departmentId))}</span>, csv: (one) => one.departmentId ?? '', fold: 'low' },
  { key: 'text', head: w.sentence, cell: (one) => <span class="cut" dir="auto" title={visible(one.text)}>{visible(one.text)}</span>, csv: (one) => one.text, fold: 'low full' },
];
