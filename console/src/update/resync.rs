//! The resync form: which feed, how much of it, what that would do, and the yes.

use marsad_shared::{
    id::FeedId,
    protocol::{Problem, Resync, ResyncReply},
    role::Act,
};

use crate::{
    keys::Action,
    message::Effect,
    model::{Form, Model, Popup, Reach, actions},
    theme::Tone,
};

/// Opens the form for a feed, by default the one that is selected, and asks for the preview.
pub(super) fn open(model: &mut Model, feed: Option<FeedId>, full: bool) -> Option<Effect> {
    let Some(feed) = feed.or_else(|| model.feed().cloned()) else {
        model.tell(model.say("msg-no_feed"), Tone::Dim);
        return None;
    };
    if let Some(why) = actions::blocked(model, Act::Resync) {
        model.tell(why, Tone::Warn);
        return None;
    }
    let reach = if full { Reach::Full } else { Reach::Incremental };
    let form = Form { reach, ..Form::new(feed, model.now) };
    let question = form.order(true);
    model.popup = Some(Popup::Resync(form));
    Some(Effect::Preview(question))
}

pub(super) fn act(model: &mut Model, action: Action) -> Option<Effect> {
    let Some(Popup::Resync(form)) = &mut model.popup else { return None };
    match action {
        Action::Toggle => {
            (form.reach, form.preview) = (form.reach.next(), None);
            return Some(Effect::Preview(form.order(true)));
        }
        // Only what was seen can be agreed to.
        Action::Accept if matches!(form.preview, Some(Ok(_))) => {
            let order = form.order(false);
            model.popup = None;
            return Some(Effect::Resync(order));
        }
        Action::Refuse => model.popup = None,
        _ => {}
    }
    None
}

/// The preview has come; one for what is no longer asked is passed over.
pub(super) fn previewed(model: &mut Model, asked: &Resync, reply: Result<ResyncReply, Problem>) {
    if let Some(Popup::Resync(form)) = &mut model.popup
        && form.order(true) == *asked
    {
        form.preview = Some(reply.map(|reply| reply.preview));
    }
}

/// The order was taken, or not.
pub(super) fn ordered(model: &mut Model, reply: Result<ResyncReply, Problem>) -> Option<Effect> {
    match reply {
        Ok(reply) => {
            let args = [("feed", reply.feed.to_string().into())];
            let run = reply.run.map(|run| format!("  {run}")).unwrap_or_default();
            let said = format!("{}{run}", model.say_with("msg-run_started", args));
            model.tell(said, Tone::Good);
            let run = reply.run?;
            model.ordered.insert(run);
            Some(Effect::Follow(run))
        }
        Err(problem) => {
            super::data::refused(model, &problem);
            None
        }
    }
}
