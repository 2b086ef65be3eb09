//! The first look of a run: whether anything changed since the last one. Mostly nothing did, and then it is all there is.

use jiff::Timestamp;
use marsad_shared::{
    health::Reason,
    record::Spelling,
    request::{Changed, Request},
    store::cache::{Position, Validators},
};
use reqwest::StatusCode;

use super::{Puller, course::as_of, page, reading::Reading, spelling::spelling_of_start};
use crate::{
    decode::Scalar,
    source::{
        asking::{Asker, Leg},
        call::Call,
        fault::FetchError,
        gate::HeldBy,
        http::Answer,
        manners::PATIENCE,
        walk::Ask,
    },
};

/// What a walk asks first.
pub(super) struct First {
    /// From where it begins.
    since: Option<String>,
    /// How the partner writes its times.
    spelling: Spelling,
    call: Call,
    /// A hash of its URL, and of how the answer is read.
    url: u64,
}

/// What is known before a walk begins.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// The answer to its first request, if that was asked already.
    pub(super) answer: Option<Answer>,
    /// The partner's own mark of change: it is kept once the walk has reached its end.
    pub(super) mark: Option<Validators>,
}

/// What a first look found.
#[expect(clippy::large_enum_variant, reason = "there is one a run")]
pub(super) enum Seen {
    /// The same rows.
    Unchanged(Same),
    New(Head),
}

/// What is known where nothing has changed.
pub(super) struct Same {
    pub(super) rows: u64,
    /// How many bytes it took to learn that.
    pub(super) bytes: u64,
    /// By what the next answer is known, where this one says it better.
    pub(super) anew: Option<Validators>,
    /// Of when the answer is, if it had lain in a cache.
    pub(super) as_of: Option<Timestamp>,
}

impl Puller {
    /// Asks whether anything changed since a walk that was one page; `None`: it cannot be asked, or a walk is open.
    pub(super) async fn unchanged(
        &mut self,
        request: &Request,
        position: &Position,
    ) -> Option<Result<Seen, FetchError>> {
        if position.walk.is_some() {
            return None;
        }
        if let Some(changed) = &request.changed {
            return Some(Box::pin(self.marked(request, changed, position)).await);
        }
        if !page::fits_one_page(request) {
            return None;
        }
        let declared = position.ended.as_ref().and_then(|ended| ended.declared);
        if let Some(cursor) = &position.cursor
            && (self.is_ahead(request, cursor) || self.is_another(declared))
        {
            // The walk begins elsewhere.
            return None;
        }
        let spelling = position.ended.as_ref().and_then(|ended| ended.spelling);
        let spelling = spelling.unwrap_or_else(|| spelling_of_start(request));
        let since = self.since(request, position.cursor.as_deref(), spelling);
        let first = match self
            .first
            .take()
            .filter(|first| first.since == since && first.spelling == spelling)
        {
            Some(first) => first,
            None => Box::new(self.first(request, since, spelling)?),
        };
        let seen = self.compared(&first, position.validators.as_ref()).await;
        self.first = Some(first);
        seen
    }

    /// What is asked first where the walk begins at `since`; `None`: the walk itself says why it cannot be asked.
    fn first(&self, request: &Request, since: Option<String>, spelling: Spelling) -> Option<First> {
        let leg = Leg { since: since.clone(), spelling, ..Leg::default() };
        let base = &self.source.http.base_url;
        let call = Asker::new(base, &self.feed, request).call(&leg, &Ask::First).ok()?;
        let url = self.url_hash(&call.url);
        Some(First { since, spelling, call, url })
    }

    /// Asks, and compares the answer with what is `known` of the last one.
    async fn compared(
        &self,
        first: &First,
        known: Option<&Validators>,
    ) -> Option<Result<Seen, FetchError>> {
        let First { call, url, .. } = first;
        let known = known.filter(|known| known.url == *url && page::can_be_named(known));
        let answer = match self.source.get(call, known).await {
            Ok(answer) => answer,
            // Something that a moment may cure is tried again by the walk, and so is a cursor that the partner has lost.
            Err(error) if self.may_ask_again(&error) => return None,
            // It may be our marks that it does not take, and the walk asks without any.
            Err(FetchError::Final { reason: Reason::Http4xx, .. })
                if known.is_some_and(Validators::are_asked_by) =>
            {
                return None;
            }
            Err(error) => {
                self.report(error.result(), Some(error.to_string())).await;
                return Some(Err(error));
            }
        };
        let bytes = answer.body.len();
        let is_same = answer.status == StatusCode::NOT_MODIFIED;
        if is_same && known.is_some_and(|known| page::names_another(&answer, known)) {
            // The walk asks without any.
            return None;
        }
        let same = known.filter(|known| {
            // A body of nothing is the same whatever went wrong, and so tells nothing.
            let told = page::ready(&answer, &call.url).is_ok() && !answer.body.is_empty();
            is_same || told && known.body == answer.body.hash()
        });
        Some(Ok(match same {
            Some(known) => {
                self.report(self.pace(&answer), None).await;
                let anew = (!is_same).then(|| page::validators(&answer, *url, known.rows));
                let anew = anew.map(|anew| Validators {
                    etag: anew.etag.or_else(|| known.etag.clone()),
                    last_modified: anew.last_modified.or_else(|| known.last_modified.clone()),
                    ..anew
                });
                Seen::Unchanged(Same {
                    rows: known.rows,
                    bytes,
                    anew: anew.filter(|anew| anew != known),
                    as_of: as_of(self.services.clock.now(), answer.age()),
                })
            }
            // How it went is reported once it has been read.
            None => Seen::New(Head { answer: Some(answer), mark: None }),
        }))
    }

    /// Asks the partner's own mark of change.
    async fn marked(
        &self,
        request: &Request,
        changed: &Changed,
        position: &Position,
    ) -> Result<Seen, FetchError> {
        let asker = Asker::new(&self.source.http.base_url, &self.feed, request);
        let Ok(url) = asker.at(&changed.path, &Leg::default(), None) else {
            return Ok(Seen::New(Head::default()));
        };
        let got = self.source.get(&Call::get(url.clone()), None).await;
        let answer = match got.and_then(|answer| page::ready(&answer, &url).map(|()| answer)) {
            Ok(answer) => answer,
            Err(error) => {
                self.report(error.result(), Some(error.to_string())).await;
                return Err(error);
            }
        };
        let found = self.beside(Reading::as_it_says(&answer), vec![changed.at.clone()]).await;
        let Some(mark) = found.first().and_then(Scalar::text) else {
            let what = "the answer does not say whether anything changed; mend `changed.at`";
            let error = FetchError::of(Reason::Schema, &url, what);
            self.report(error.result(), Some(error.to_string())).await;
            return Err(error);
        };
        if self.source.repeats_ours(mark) {
            // It cannot be kept, and so tells nothing.
            self.report(self.pace(&answer), None).await;
            return Ok(Seen::New(Head::default()));
        }
        let mark = Validators {
            url: self.url_hash(&url),
            etag: Some(mark.to_owned()),
            rows: position.rows,
            ..Validators::default()
        };
        self.report(self.pace(&answer), None).await;
        Ok(match &position.validators {
            Some(known) if (known.url, &known.etag) == (mark.url, &mark.etag) => {
                let as_of = as_of(self.services.clock.now(), answer.age());
                let (rows, bytes) = (known.rows, answer.body.len());
                Seen::Unchanged(Same { rows, bytes, anew: None, as_of })
            }
            _ => Seen::New(Head { answer: None, mark: Some(mark) }),
        })
    }

    /// Whether asking again may help, and will be allowed soon: the breaker may just have opened.
    fn may_ask_again(&self, error: &FetchError) -> bool {
        match error {
            FetchError::Held { wait, by, .. } => *by != HeldBy::Breaker && *wait <= PATIENCE,
            FetchError::Transient { .. } | FetchError::Gone { .. } => {
                self.source.held().is_none_or(|held| !held.is_breaker() && held.wait <= PATIENCE)
            }
            _ => false,
        }
    }
}
