# What the console says, in English. Keys and terms are the glossary's, with - for a dot.

## What can be done

act-approve_columns = Approve columns
act-back = Back
act-cancel = Cancel
act-confirm = Confirm
act-copy = Copy
act-discard = Discard
act-filter = Filter
act-hold = Put on hold
act-mark = Mark
act-open_details = Open details
act-quit = Quit
act-refresh_view = Refresh view
act-refuse_columns = Refuse columns
act-release = Release
act-replay = Replay
act-resync = Resync
act-retry = Retry
act-sort = Sort
act-test_connection = Test connection
act-undo = Undo
act-why = Why

## The program

app-title-short = Marsad

## Tries

attempt-ask = asked
attempt-deliver = offered

## What became of rows

balance-absent = No longer there
balance-deleted = Deleted
balance-duplicate = Duplicate
balance-filtered = Left out by rule
balance-inserted = New
balance-off = Not balanced
balance-ok = Balanced
balance-quarantined = Quarantined
balance-received = Received
balance-unchanged = Unchanged
balance-updated = Updated

## The banner

banner-away = ({ $age }); what is shown is from then, trying again

## Columns

col-address = Address
col-age = Age
col-answer = Answer
col-certificate = Certificate
col-changed = Changed
col-changed_at = Changed
col-count = Items
col-direction = Direction
col-example = Example
col-fails = Fails
col-id = Id
col-kind = Kind
col-last_ok = Last ok
col-last_run = Last run
col-name = Name
col-newest = Newest
col-oldest = Oldest
col-our-certificate = Our certificate
col-overlays = Overlays
col-place = Place
col-result = Result
col-size = Size
col-start = Start
col-took = Took
col-tries = Tries
col-trigger = Trigger
col-value = Value

## Questions

confirm-accept_key = y accepts, n or Esc cancels
confirm-approve_columns = What is new becomes a column, what is gone need not be there, and of what is of another type the rows that do not fit are refused one by one.
confirm-exchange = { $verb }: { $id }
confirm-quit = A sync that you started is under way. It goes on without you. Leave?
confirm-refuse_columns = What is new is passed over for good; what is gone or of another type goes on holding the feed.
confirm-run_cancel = What it loads beside the bank leaves no trace; pages of changes that are kept stay.
confirm-run_discard = It never was in the bank, and never will be; the partner can be read again.
confirm-step = { $from } becomes { $to }
confirm-wait = n or Esc cancels; nothing can be accepted before the preview is here

## So many

count-exchanges = { $n ->
    [0] no exchanges
    [one] 1 exchange
   *[other] { $n } exchanges
}

## Deciding about a run

decide-again = It kept nothing: releasing it reads the feed again now, without the brake.
decide-keys = Esc cancels   typing it does it
decide-release = { $new } records would be added, { $changed } changed and { $gone } deleted, but for what later runs have written.
decide-release_undo = What it replaces is kept, so that it can be undone.
decide-undo = { $new } records that it added go; { $changed } that it changed and { $gone } that it deleted are again as they were, but for what later runs have written.
decide-undo_next = The next run reads the partner as usual.

## Discarding

discard-keeps = The audit keeps what they were, and not what was in them. Nothing becomes fresh.
discard-keys = Tab the other line   Esc cancels   typing it does it
discard-title = Discard what is held: { $feed }
discard-type = To do it, type: { $id }
discard-wait = Esc cancels; nothing can be done before it is known what it is
discard-why = Why, for the audit:
discard-would = { $n ->
    [one] 1 item is lost for good
   *[other] { $n } items are lost for good
}

## Events

event-run = { $id }, { $changed } changed

## Exchanges

exch-attempts = Attempts
exch-cancelled = Cancelled
exch-confirmed = Confirmed
exch-correlation_id = Correlation number
exch-delivered = Delivered
exch-expired = Expired
exch-held = On hold
exch-in_doubt = In doubt
exch-inbound = Inbound
exch-next_try = Next try
exch-next_try-short = Next
exch-outbound = Outbound
exch-pending = Pending
exch-rejected = Rejected
exch-retrying = Retrying
exch-scheduled = Scheduled
exch-sending = Sending

## Facts

fact-as_it_came = { $notation }, masked; marsad reveal { $id } shows it
fact-cut = Only its begin was kept
fact-first_refused = First refused
fact-first_seen = First seen
fact-fix = What to do
fact-hash = Content hash (BLAKE3)
fact-not_apart = Its values cannot be told apart, so that none is shown; marsad reveal { $id } shows it
fact-original = As it came
fact-refused = Refused at
fact-whole_file = A whole file cannot be masked, so that nothing is shown; marsad reveal { $id } shows it

## Filters

filter-hits = { $n ->
    [0] no hit
    [one] 1 hit
   *[other] { $n } hits
}
filter-paused = { $n } among { $scanned } looked at; j looks further
filter-so_far = { $n } among { $scanned } looked at so far

## Freshness

fresh-due = Due
fresh-exempt = Exempt
fresh-expired = Expired
fresh-fresh = Up to date
fresh-future = Dated in the future
fresh-last_success = Last success
fresh-late = Late
fresh-since = Since
fresh-stale = Stale
fresh-unknown = Unknown

## The top line

header-away = AWAY { $age }
header-daemon = daemon { $version } up { $age }
header-daemon_off = daemon { $version } not running
header-live = LIVE { $age } ago
header-offline = OFFLINE, as of { $time }
header-site = site:{ $site }

## Health

health-degraded = Degraded
health-down = Down
health-recovering = Recovering
health-suspect = Suspect
health-unknown = Unknown
health-up = Up

## What is held

held-asking = Asking what it would do …
held-several = several feeds

## Help

help-filter = To filter: words, field:value, !not.  Pasted text is never a command.

## Keys

key-accept = yes, do it
key-actions = Actions
key-choose = choose
key-complete = complete
key-copy_id = Copy the id
key-down = down
key-earlier = To where you were before
key-first = To the first row
key-half_down = Half a page down
key-half_up = Half a page up
key-keep_filter = keep this filter
key-last = To the last row
key-later = Forward again
key-next_tab = Next tab or block
key-old_filter = back to the old one
key-open = Open
key-other_line = the other line
key-page_down = A page down
key-page_up = A page up
key-palette = Command
key-prev_tab = Tab or block before
key-refuse = no
key-repaint = Draw the screen again
key-reverse = Turn the order round
key-run = run
key-scope = how much
key-suspend = Suspend
key-swap = Last place and back
key-up = up

## Kinds, short

kind-connection = conn
kind-exchange = exch
kind-feed = feed
kind-file = file
kind-quarantine = quar
kind-row = row
kind-run = run

## Lists

list-by_key = A whole key is looked up at once: / key Enter
list-empty = There is nothing here
list-marked = { $n } marked
list-no_exchanges = No exchanges
list-no_hit = Nothing passes the filter; Esc clears it
list-no_hit_yet = Nothing has passed the filter so far; Esc clears it
list-no_quarantine = Nothing is in quarantine
list-waiting = Reading …

## Modes

mode-connecting = CONNECTING
mode-live = Live

## What is said in passing

msg-blocked_away = The daemon does not answer
msg-blocked_ended = It has ended
msg-blocked_no_undo = Nothing of it can be undone
msg-blocked_nothing_waits = Nothing of it waits
msg-blocked_offline = Offline: nothing can be changed
msg-blocked_role = Needs the role: { $role }
msg-blocked_state = Not while it is: { $state }
msg-burst = { $n } keys came at once: taken for a paste, nothing was done
msg-copied = Sent to the clipboard of the terminal: { $text }
msg-daemon_away = Daemon away since { $time }
msg-daemon_back = Daemon is back
msg-decided = { $feed }: { $what }
msg-discarded = { $n ->
    [one] 1 item discarded
   *[other] { $n } items discarded
}
msg-exchange_is = Done: { $id } became { $state }
msg-fixed_order = This list has one order only
msg-gone = no longer configured
msg-interrupt_again = Once more to leave
msg-no_command = No such command: { $command }
msg-no_feed = No feed is selected; 3 shows them all
msg-no_further = No further
msg-no_marks = Items of quarantine are marked; open what is alike first
msg-not_found = There is no { $id }
msg-nothing_selected = Nothing is selected
msg-paste_ignored = Pasted text is never a command: nothing was done
msg-problem = { $what }: { $why }; { $do }
msg-replayed = { $accepted } of { $received } accepted, { $refused } refused again
msg-replaying = Replaying …
msg-run_ended = { $id } { $feed }: { $outcome }, { $changed } changed, { $held } held
msg-run_failed = { $id } { $feed }: { $outcome }: { $reason }
msg-run_started = Sync started: { $feed }
msg-test_failed = { $id }: { $step } failed: { $text }; { $do }
msg-tested = { $id }: every step went well
msg-testing = Trying { $id }

## Views

nav-connections = Connections
nav-connections-short = Conn
nav-exchanges = Exchanges
nav-exchanges-short = Exch
nav-facts = Details
nav-feeds = Data feeds
nav-feeds-short = Feeds
nav-help = Help
nav-overview = Overview
nav-quarantine = Quarantine
nav-quarantine-short = Quar
nav-records = Records
nav-runs = Sync runs

## Things

noun-attempt = Attempt
noun-balance = Balance
noun-connection = Connection
noun-cursor = Cursor
noun-deadline = Deadline
noun-feed = Feed
noun-field = Field
noun-file = File
noun-line = Line
noun-operator = Operator
noun-original = Original file
noun-page = Page
noun-promise = Promise
noun-reason = Reason
noun-row = Row
noun-run = Sync run
noun-schema = Schema
noun-state = State
noun-table = Table

## Overlays

overlay-paused = Paused

## The overview

overview-above = { $n } worse above
overview-all_well = Nothing needs you
overview-events = Last events
overview-freshness = Freshness
overview-health = Health
overview-held = Quarantine by feed
overview-legend = . within the promise  - late  # past  | deadline
overview-more = +{ $n } more
overview-needs = Needs you now ({ $n })
overview-nothing_runs = Nothing is running
overview-queue = Running, and the queue
overview-running = Running

## What is selected

peek-nothing = Nothing is selected

## Places

place-page = page { $n }
place-row = row { $n }

## Replaying

replay-keeps = No cursor moves, and nothing becomes fresh.
replay-newer = { $n } of those because a newer one is in the bank: discard them
replay-title = Replay what is held: { $feed }
replay-untried = { $n } whole files would be read again; a preview does not try them
replay-would_accept = { $n } would be accepted, as the feed is configured now
replay-would_refuse = { $n } would be refused again

## Resync

resync-after = as far as run { $id } tells
resync-asking = Asking what it would do …
resync-beginning = the beginning
resync-budget = { $left } of { $limit } calls are left of the partner's budget
resync-day = Last day
resync-from = Reads from { $from }
resync-full = Full
resync-incremental = Incremental
resync-keeps = { $n } records are in the bank now; none of them is lost by it
resync-look = Full, look first
resync-no_past = no run of this kind yet to tell by
resync-reads = Rows: { $rows }   pages: { $pages }   takes: { $time }
resync-replaces = { $n } records are in the bank now; what comes is loaded beside them, joins them in one step, and can be undone
resync-snapshot = { $n } records are in the bank now; what it no longer has is taken for gone (where pages do not overlap, behind a second read), and can be undone
resync-stretch = { $n } records are in the bank now; what comes is loaded beside them, and the cursor stays
resync-title = Resync { $feed }
resync-waits = { $n } records are in the bank now; what comes waits beside them with what it would change, until it is released
resync-week = Last 7 days

## Roles

role-admin = Administrator
role-auditor = Auditor
role-operator = Operator
role-supervisor = Supervisor
role-viewer = Viewer

## Runs

run-alike = { $state } ({ $n } alike)
run-balance = { $received } received = { $changed } changed + { $unchanged } unchanged + { $held } held + others

## Runs under way

running-left = of { $total }, about { $left } left
running-progress = { $rows } rows, { $rate }/s, { $age }

## Whose side

schema-waits = { $what }: to be decided
side-data = Data
side-gateway = Gateway
side-label = Fault lies with
side-network = Network
side-ours = Ours
side-partner = Partner
side-tls = TLS

## Who can mend it

who-data = what came is not what the feed says; the partner, or the feed's block
who-gateway = the exchange between us and the partner; those who run it
who-network = the way to the partner; our network team, then theirs
who-ours = this machine or our configuration
who-partner = the partner's service; call them
who-tls = certificates; whoever runs the partner's web server, or ours for our own

## Orders

sort-name = name
sort-newest = last read
sort-size = size
sort-title = by { $order }
sort-title_reversed = by { $order }, turned round
sort-worst = worst first

## States

state-since = { $symbol } { $state } since { $time } ({ $age })

## Outcomes

status-cancelled = Cancelled
status-failed = Failed
status-held = Held
status-partial = Partly succeeded
status-running = Running
status-succeeded = Succeeded
status-unchanged = No change

## Triggers

trigger-file = file
trigger-person = person
trigger-replay = replay
trigger-retry = retry
trigger-schedule = schedule

## What needs somebody

trouble-exchanges = somebody has to decide
trouble-feeds_hit = { $n ->
    [one] 1 feed behind
   *[other] { $n } feeds behind
}
trouble-held = { $n } held
trouble-in_doubt = the answer was lost
trouble-last_run = the last run failed
trouble-promised = promised { $promise }

## Units

unit-day = { $n }d
unit-hour = { $n }h
unit-hour-minute = { $h }h{ $m }
unit-minute = { $n }m
unit-second = { $n }s

## Causes

why-connection = connection { $id } is { $state } since { $time }
why-exchanges = { $n } exchanges: { $state }
why-feed = feed { $id } is { $state }; promised { $promise }, last success { $last }
why-last_run = run { $id }: { $state }
why-holds_up = it holds up: { $feeds }
why-side = the fault lies with: { $side } ({ $who })
why-state = exchange { $id }: { $state }

## Words that stand alone

never = never
none = none
number = { $n }
