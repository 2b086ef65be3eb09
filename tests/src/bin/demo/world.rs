//! The agencies of the demo, and what happens to them while somebody watches.

use std::{fs, path::PathBuf, time::Duration};

use marsad_tests::{
    daemon::Home,
    partner::{
        Api, Desk, Fault, Office, Paging, Truth,
        api::Plan,
        data::{ENROLMENTS, INCOME, NOTICES, REFERRALS, REQUESTS, VISITS},
        random::Random,
    },
};
use tokio::time::{MissedTickBehavior, interval};

/// From one thing that happens to the next.
const TICK: Duration = Duration::from_secs(2);
/// The first of the ports that the partners would like.
const PORT: u16 = 18_101;

/// All partners.
#[derive(Debug)]
pub(crate) struct World {
    /// Health, child protection, police, education, employment: in this order.
    apis: Vec<Api>,
    /// Listens to nobody.
    dead: Api,
    housing: Office,
    social: Desk,
    outbox: PathBuf,
    random: Random,
}

impl World {
    /// Starts the partners and writes their files for `home`'s daemon.
    pub(crate) async fn start(home: &Home, seed: u64) -> anyhow::Result<Self> {
        let plan = |partner, dataset, paging, at| {
            let mut plan = Plan::new(partner, dataset, paging).port(PORT + at);
            plan.seed = seed ^ u64::from(at);
            plan
        };
        let limit = Duration::from_secs(10);
        let plans = [
            plan("health", &VISITS, Paging::Cursor, 0)
                .rows(1_200)
                .token("demo-token")
                .limit(8, limit),
            plan("child-protection", &NOTICES, Paging::Offset, 1).rows(400),
            plan("police", &REFERRALS, Paging::Link, 2).rows(800),
            plan("education", &ENROLMENTS, Paging::NextUrl, 3).rows(2_500).page(500),
            plan("employment", &INCOME, Paging::Page, 4).rows(60),
        ];
        let mut apis = Vec::new();
        for plan in plans {
            let api = plan.start().await?;
            home.partner(api.file("6s").promise("20s", "10s", "1m"))?;
            apis.push(api);
        }
        let [_, child, _, _, employment] = apis.as_slice() else { anyhow::bail!("five partners") };
        child.switch().set(Fault::Flaky { percent: 40 });
        employment.switch().set(Fault::Slow(Duration::from_secs(6)));
        home.partner(
            employment.file("15s").promise("1m", "10s", "1m").to_connection("slow = \"2s\""),
        )?;

        let dead = plan("municipality", &INCOME, Paging::Page, 5).start().await?;
        dead.die().await;
        home.partner(dead.file("10s").promise("1m", "15s", "2m"))?;
        let housing =
            Office::new("housing", &home.join("housing/in"), Truth::new(&REQUESTS, seed, 500))?;
        home.partner(housing.file("2s").promise("1m", "15s", "5m"))?;
        let social = Desk::start("social", PORT + 6).await?;
        let outbox = home.join("social/outbox");
        fs::create_dir_all(&outbox)?;
        home.partner(
            social.file().add(&format!("outbox = \"{}\"\nsettle = \"2s\"", outbox.display())),
        )?;
        Ok(Self { apis, dead, housing, social, outbox, random: Random::new(seed) })
    }

    /// The feeds that have to become fresh: all but those of the partner that is not there.
    pub(crate) fn healthy(&self) -> Vec<String> {
        let apis = self.apis.iter().map(Api::feed);
        apis.chain([self.housing.feed()]).filter(|feed| *feed != self.dead.feed()).collect()
    }

    /// Lives until it is dropped.
    pub(crate) async fn live(mut self) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        for tick in 0_u64.. {
            ticks.tick().await;
            // A folder that is gone means that the demo ends just now.
            if self.tick(tick).await.is_err() {
                return;
            }
        }
    }

    async fn tick(&mut self, tick: u64) -> anyhow::Result<()> {
        for api in &self.apis {
            let (grown, changed) = (self.random.below(3), self.random.below(5));
            let mut truth = api.truth();
            truth.grow(grown);
            truth.change(changed);
        }
        if tick % 5 == 1 {
            self.drop_file(tick)?;
        }
        if tick % 4 == 2 {
            self.refer(tick)?;
        }
        let police = self.apis.get(2);
        match (tick % 60, police) {
            (20, Some(police)) => police.die().await,
            (35, Some(police)) => police.revive().await?,
            _ => {}
        }
        Ok(())
    }

    /// A delivery of the housing department; every third has a row that nobody can accept.
    fn drop_file(&mut self, tick: u64) -> anyhow::Result<()> {
        self.housing.truth.grow(20);
        self.housing.truth.change(10);
        let mut csv = self.housing.csv();
        if tick.is_multiple_of(3) {
            csv.push_str("H-TYPING,F000001,Wasit,rent,31/02/2026,1.50,paid,2026-01-01T00:00:00Z\n");
        }
        self.housing.drop_file(&format!("requests-{tick:05}.csv"), csv.as_bytes())?;
        Ok(())
    }

    /// A referral of ours to social services: some answers are lost, one is a refusal.
    fn refer(&mut self, tick: u64) -> anyhow::Result<()> {
        match tick % 20 {
            6 => self.social.post().plan([Some(Fault::NoAnswer)]),
            10 => self.social.post().plan([Some(Fault::Status(409))]),
            14 => self.social.post().plan([Some(Fault::Status(503))]),
            _ => {}
        }
        let family = self.random.below(1_000_000);
        let referral =
            format!("{{\"referral\":{tick},\"family_ref\":\"F{family:06}\",\"to\":\"social\"}}\n");
        let (temporary, file) = (
            self.outbox.join(".referral.part"),
            self.outbox.join(format!("referral-{tick:05}.json")),
        );
        fs::write(&temporary, referral)?;
        Ok(fs::rename(temporary, file)?)
    }
}
