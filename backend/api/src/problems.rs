//! Every kind of failure, in one table: its word, its status, and what `/problems/{code}` says of it.

use actix_web::http::StatusCode;
use api_types::ProblemRow;

macro_rules! codes {
    ($($name:ident $word:literal $status:ident $title:literal $why:literal $remedy:literal;)+) => {
        /// Every way to fail. The word is for programs and never changes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Code { $($name,)+ }

        impl Code {
            /// All of them.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The word in the body.
            pub(crate) fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }

            /// The status of the answer.
            pub(crate) fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)+ }
            }

            /// It in a few words.
            pub(crate) fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)+ }
            }

            fn why(self) -> &'static str {
                match self { $(Self::$name => $why,)+ }
            }

            fn remedy(self) -> &'static str {
                match self { $(Self::$name => $remedy,)+ }
            }
        }
    };
}

codes! {
    BadRequest "bad_request" BAD_REQUEST "The request cannot be understood"
        "What was sent is not what HTTP or this API knows."
        "Compare the request with what /docs/ shows for the route.";
    InvalidParameter "invalid_parameter" BAD_REQUEST "A parameter cannot be used"
        "A parameter is empty, too long, out of bounds or not of its type."
        "`parameter` names it, `value` is what came, `allowed` what would be taken.";
    UnknownParameter "unknown_parameter" BAD_REQUEST "A parameter is not known here"
        "Behind the question mark stands a name that this route does not know. It is not ignored, since a misspelt filter \
         would answer another question."
        "`allowed` lists the names that the route knows.";
    RepeatedParameter "repeated_parameter" BAD_REQUEST "A parameter is given twice"
        "Two values for one name contradict each other."
        "Give it once; several tickers go into one value, separated by commas.";
    UnknownRoute "unknown_route" NOT_FOUND "There is nothing at this address"
        "No route has this path. A path ends without a slash."
        "/ lists every route, /docs/ describes them.";
    UnknownCoin "unknown_coin" NOT_FOUND "No such coin"
        "No exchange that was ever connected lists a coin of this name or code."
        "/symbols lists all; `allowed` names those that are spelt much alike.";
    UnknownExchange "unknown_exchange" NOT_FOUND "No such exchange"
        "No exchange of this name was ever connected."
        "`allowed` lists those that were, and so does /exchanges.";
    UnknownTicker "unknown_ticker" NOT_FOUND "No such pair"
        "The exchange, or every exchange where none is named, does not list a pair that it spells like this."
        "/tickers lists all; `allowed` names those that are spelt much alike.";
    NotRecorded "not_recorded" NOT_FOUND "No price is stored"
        "The exchange lists the pair, but no price of it was ever recorded."
        "/tickers?recorded=true lists the pairs that are; TRACKER_SYMBOLS says which are followed.";
    UnknownDeadLetter "unknown_dead_letter" NOT_FOUND "No such dead letter"
        "It never existed, or was replayed or dropped since."
        "/dead-letters lists those that there are.";
    UnknownProblem "unknown_problem" NOT_FOUND "No such kind of failure"
        "The word behind /problems/ is none of ours."
        "/problems lists every kind.";
    NotLoggedIn "not_logged_in" UNAUTHORIZED "An account is needed"
        "What is asked for belongs to somebody, and the request does not say who asks."
        "Log in with POST /api/token, or use an API key, and send `Authorization: Bearer` with it.";
    InvalidToken "invalid_token" UNAUTHORIZED "The token does not serve"
        "It has expired, was revoked by a log-out or a change of password, is of another kind, or is none of ours."
        "POST /api/token/refresh gives a new access token; log in again where that fails too.";
    WrongLogin "wrong_login" UNAUTHORIZED "Nobody is known by this name and password"
        "The name, the password or both are wrong, or the account is disabled; which of them is not said."
        "An operator sets another password: crypto-tracker user password NAME.";
    OnlyReading "only_reading" FORBIDDEN "This key may only read"
        "The API key is of scope read, and the request would change something."
        "Make a key of scope write, or log in.";
    LogInNeeded "log_in_needed" FORBIDDEN "A key does not serve here"
        "Passwords and keys are changed by whoever has logged in, not by a key."
        "Log in with POST /api/token.";
    SignUpClosed "sign_up_closed" FORBIDDEN "Accounts are made by the operator"
        "Here nobody makes an account for themselves."
        "Ask whoever runs this: crypto-tracker user add NAME, or API_SIGN_UP=true.";
    NameTaken "name_taken" CONFLICT "Somebody is called so"
        "There is an account of this name."
        "Choose another name.";
    UnknownApiKey "unknown_api_key" NOT_FOUND "No such API key"
        "It never existed, was taken away, or is another account's."
        "GET /api-keys lists yours.";
    TooManyApiKeys "too_many_api_keys" CONFLICT "Too many API keys"
        "An account has 50 at most."
        "Take one away that is not used any more: `last_used_at` tells.";
    UnknownAlert "unknown_alert" NOT_FOUND "No such alert"
        "It never existed, was deleted, or is another account's."
        "GET /alerts lists yours.";
    TooManyAlerts "too_many_alerts" CONFLICT "Too many alerts"
        "An account has 2,000 at work or paused at most."
        "Delete those that are not needed any more.";
    UnknownChannel "unknown_channel" NOT_FOUND "No such channel"
        "It never existed, was taken away, or is another account's."
        "GET /channels lists yours.";
    TooManyChannels "too_many_channels" CONFLICT "Too many channels"
        "An account has 20 at most."
        "Take one away that is not used any more.";
    ChannelInUse "channel_in_use" CONFLICT "Alerts are told by this channel"
        "Alerts or schedules name it, and nobody would be told of them any more."
        "Change their `channels` first, or switch the channel off: PATCH with `active` false.";
    TooManyTests "too_many_tests" CONFLICT "This channel was tested often enough"
        "A channel is tested ten times an hour at most."
        "GET /notifications tells what became of them.";
    UnknownNotification "unknown_notification" NOT_FOUND "No such failed notification"
        "It never existed, did not fail, or is another account's."
        "GET /notifications?state=failed lists those that did.";
    UnknownSchedule "unknown_schedule" NOT_FOUND "No such schedule"
        "It never existed, was taken away, or is another account's."
        "GET /schedules lists yours.";
    TooManySchedules "too_many_schedules" CONFLICT "Too many schedules"
        "An account has 50 at most."
        "Take one away that is not needed any more.";
    UnknownPortfolio "unknown_portfolio" NOT_FOUND "No such portfolio"
        "It never existed, was taken away, or is another account's."
        "GET /portfolios lists yours.";
    TooManyPortfolios "too_many_portfolios" CONFLICT "Too many portfolios"
        "An account has 50 at most."
        "Take one away that is not needed any more.";
    UnknownTransaction "unknown_transaction" NOT_FOUND "No such transaction"
        "It never existed, was taken away, or belongs to another portfolio."
        "GET /portfolios/{id}/transactions lists those of a portfolio.";
    TooManyTransactions "too_many_transactions" CONFLICT "Too many transactions"
        "A portfolio has 500,000 at most."
        "Keep them in several portfolios.";
    TooManyCoins "too_many_coins" CONFLICT "Too many coins"
        "What a portfolio was worth day by day is computed of 1,000 different coins at most, and what was paid is converted from as many currencies."
        "Keep them in several portfolios.";
    TransactionKnown "transaction_known" CONFLICT "This transaction is written down already"
        "Another transaction of the portfolio has the same source and source_id."
        "Change that one, or give this one an id of its own.";
    UnreadableFile "unreadable_file" BAD_REQUEST "The file cannot be read"
        "It is empty, is no text, has another header than its format, or lines in it are wrong."
        "Try it with preview=true, which tells line by line what is wrong.";
    AmountsTooLarge "amounts_too_large" CONFLICT "The amounts are too large"
        "Added up, they have more digits than are counted with."
        "Look for a transaction whose volume or value is far too large.";
    NotPreviewed "not_previewed" BAD_REQUEST "This alert cannot be tried on the past"
        "What it looks at is not kept: the price of a coin over all markets, differences between markets, the state of feeds."
        "Make it, and see.";
    InvalidBody "invalid_body" BAD_REQUEST "The body cannot be used"
        "It is no JSON, lacks a field, has one that is not known, or a value that is not of its type."
        "Compare it with what /docs/ shows for the route.";
    BodyTooLarge "body_too_large" PAYLOAD_TOO_LARGE "The body is too large"
        "No request needs as much."
        "Send less than 64 KB.";
    BodyLate "body_late" REQUEST_TIMEOUT "The body did not arrive"
        "The request announces a body, and it was not there in time."
        "Send it at once, as long as Content-Length says.";
    TooManyLogins "too_many_logins" TOO_MANY_REQUESTS "Too many tries to log in"
        "From one address 20 tries a minute are taken, to one account 30; and as many at once as can be compared in two seconds."
        "Wait as long as Retry-After says.";
    MethodNotAllowed "method_not_allowed" METHOD_NOT_ALLOWED "The method is not understood here"
        "Prices can only be read; the few routes that change something take POST, PATCH or DELETE."
        "`allowed`, and the header Allow, say which methods the route takes.";
    NotAcceptable "not_acceptable" NOT_ACCEPTABLE "No accepted encoding is spoken here"
        "Accept-Encoding refuses everything, an answer without compression too."
        "Accept gzip, zstd or identity, or leave the header away.";
    BodyNotAllowed "body_not_allowed" PAYLOAD_TOO_LARGE "The route takes no body"
        "The request announces a body."
        "Ask with GET, and with parameters in the address.";
    WebSocketExpected "websocket_expected" UPGRADE_REQUIRED "This address speaks WebSocket"
        "/live was asked without the headers that open a WebSocket."
        "Connect with WebSocket, or use /live/events, which is plain HTTP.";
    RateLimited "rate_limited" TOO_MANY_REQUESTS "Too many requests"
        "This address asked more often than API_RATE_LIMIT allows; RateLimit-Policy says how often that is."
        "Wait as long as Retry-After says. For news as they happen, listen at /live instead of asking again and again.";
    Internal "internal" INTERNAL_SERVER_ERROR "Something went wrong here"
        "A failure of ours."
        "The server's log says what; please report it.";
    DatabaseBusy "database_busy" SERVICE_UNAVAILABLE "The database is busy"
        "Every database connection was in use for longer than a request waits (API_DATABASE_WAIT_MS)."
        "Ask again in a moment. If it happens often, DATABASE_POOL_SIZE allows more connections.";
    DatabaseUnavailable "database_unavailable" SERVICE_UNAVAILABLE "The database cannot be asked"
        "It does not answer, or the db-handler has not made its tables yet."
        "Ask again in a moment; /health/ready says what is missing. The live feed goes on meanwhile.";
    QueryTimeout "query_timeout" SERVICE_UNAVAILABLE "The database took too long"
        "The queries for this answer took longer than API_QUERY_TIMEOUT_MS."
        "Ask for less: a shorter span, a smaller limit, fewer tickers.";
    TooManyClients "too_many_clients" SERVICE_UNAVAILABLE "Too many listen already"
        "As many clients listen to the live feed as API_LIVE_CLIENTS allows."
        "Come again later, or raise the setting.";
    TooManyImports "too_many_imports" SERVICE_UNAVAILABLE "Too many files are being taken over already"
        "Two files are taken over at a time, and eight wait. Each may take some hundred megabytes of memory."
        "Come again in a moment.";
    TooManyExports "too_many_exports" SERVICE_UNAVAILABLE "Too many exports run already"
        "As many exports run as API_EXPORTS allows. Each reads the database page by page until its client has all."
        "Come again when one is over, or raise the setting.";
    NotReady "not_ready" SERVICE_UNAVAILABLE "Not everything works"
        "Something that answers need does not work just now."
        "`data` and `detail` say what.";
}

impl Code {
    /// What it means.
    pub(crate) fn row(self) -> ProblemRow {
        ProblemRow {
            code: self.word().to_owned(),
            status: self.status().as_u16(),
            title: self.title().to_owned(),
            why: self.why().to_owned(),
            remedy: self.remedy().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_word_of_its_own_and_is_a_failure() {
        for (index, code) in Code::ALL.iter().enumerate() {
            assert!(code.status().is_client_error() || code.status().is_server_error(), "{code:?}");
            assert!(code.word().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{code:?}");
            assert!(Code::ALL[..index].iter().all(|other| other.word() != code.word()), "{code:?}");
        }
    }
}
