//! The kinds of fault.

/// What a call asks for, as its path tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Asked {
    /// The token endpoint.
    Token,
    /// Versions, limits, counts, describes: small JSON.
    Facts,
    /// The first page of a REST query.
    Query,
    /// A further page.
    More,
    /// Composite: several in one.
    Composite,
    /// A new Bulk job.
    NewJob,
    /// A Bulk job's state.
    JobState,
    /// A page of a job's results.
    Results,
    /// The list of a job's pages.
    ResultPages,
    /// The end of a job: abort, delete.
    JobEnd,
    /// The content of a file.
    Blob,
    /// Anything else.
    Other,
}

impl Asked {
    /// Tells it from a request.
    pub fn of(method: &str, path: &str) -> Self {
        let path = path.split('?').next().unwrap_or_default();
        let rest: Vec<&str> = path.trim_matches('/').split('/').skip(3).collect();
        match (method, rest.as_slice()) {
            _ if path.ends_with("/oauth2/token") => Self::Token,
            (_, [] | ["limits" | "sobjects"] | ["limits", _] | ["sobjects", _, "describe"]) => Self::Facts,
            ("GET", ["query" | "queryAll"]) => Self::Query,
            ("GET", ["query" | "queryAll", _]) => Self::More,
            (_, ["composite", ..]) => Self::Composite,
            ("POST", ["jobs", "query"]) => Self::NewJob,
            ("GET", ["jobs", "query", _]) => Self::JobState,
            ("GET", ["jobs", "query", _, "results"]) => Self::Results,
            ("GET", ["jobs", "query", _, "resultPages"]) => Self::ResultPages,
            ("PATCH" | "DELETE", ["jobs", "query", _]) => Self::JobEnd,
            ("GET", ["sobjects", _, _, _]) => Self::Blob,
            _ => Self::Other,
        }
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident $where:tt,)*) => {
        /// A kind of fault.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $($(#[$doc])* $name,)* }

        impl Kind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its name in the table.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// Whether it can befall a call that asks for this.
            pub fn befalls(self, asked: Asked) -> bool {
                match self { $(Self::$name => kinds!(@at asked $where),)* }
            }
        }
    };
    (@at $asked:ident any) => { $asked != Asked::Token };
    (@at $asked:ident all) => { { let _ = $asked; true } };
    (@at $asked:ident csv) => { $asked == Asked::Results };
    (@at $asked:ident json) => { !matches!($asked, Asked::Token | Asked::Results | Asked::JobEnd | Asked::Blob) };
    (@at $asked:ident body) => { !matches!($asked, Asked::Token | Asked::JobEnd) };
    (@at $asked:ident rows) => { matches!($asked, Asked::Query | Asked::More) };
    (@at $asked:ident more) => { $asked == Asked::More };
    (@at $asked:ident composite) => { $asked == Asked::Composite };
    (@at $asked:ident blob) => { $asked == Asked::Blob };
    (@at $asked:ident token) => { $asked == Asked::Token };
    (@at $asked:ident newjob) => { $asked == Asked::NewJob };
    (@at $asked:ident job) => { $asked == Asked::JobState };
    (@at $asked:ident cursor) => { matches!($asked, Asked::More | Asked::Results) };
}

kinds! {
    // --- no answer, or a broken one
    /// The connection closes before the call is forwarded.
    ClosedUnheard all,
    /// The call is carried out, and its answer is lost.
    AnswerLost all,
    /// No answer ever comes.
    NeverAnswers all,
    /// The connection closes in the middle of the head.
    CutInHead all,
    /// It closes after half of the body.
    CutInBody all,
    /// It closes before the last byte.
    CutLastByte all,
    /// A chunked body ends without its last chunk.
    CutInChunks all,
    /// Half of a body that is not compressed, then the connection closes.
    CutPlain body,
    /// Half of the body, then nothing for ever.
    StallsInBody all,
    /// The body comes in pieces, with half a minute between them.
    SlowBody body,
    // --- well framed and not whole
    /// Half of the body as it is sent (of its compression, too), framed as if whole.
    ShortBody all,
    /// Half of the decoded body, framed as if whole.
    ShortPlain all,
    /// The last line of a CSV page is missing.
    ShortByLine csv,
    /// The last eight bytes of the compression (checksum and length) are missing.
    GzipWithoutEnd body,
    /// A bit in the middle of the compression is another.
    GzipFlipped body,
    /// Status 200, nothing in it.
    EmptyBody body,
    /// The head says fewer bytes than come.
    LengthTooShort all,
    // --- something else in its place
    /// An HTML page with status 200.
    Html all,
    /// An HTML page with status 200 that says it is what was asked for.
    HtmlInDisguise body,
    /// JSON with its first bracket gone.
    BrokenJson json,
    // --- refusals
    /// 401 `INVALID_SESSION_ID`, once.
    Unauthorized any,
    /// The org ends all sessions.
    SessionsEnd any,
    /// The org ends all sessions and lets nobody in again.
    AccessRevoked any,
    /// 400 `UNKNOWN_THING`: a refusal that nobody knows.
    UnknownRefusal any,
    /// 400 `QUERY_TIMEOUT`.
    QueryTimeout any,
    /// 400 `LIMIT_EXCEEDED`.
    LimitExceeded any,
    /// 403 `REQUEST_LIMIT_EXCEEDED`, the day's calls.
    AllowanceUsedUp any,
    /// 403 `REQUEST_LIMIT_EXCEEDED`, too many long calls.
    TooManyAtOnce any,
    /// 403 `API_CURRENTLY_DISABLED`.
    ApiDisabled any,
    /// 404 `NOT_FOUND`.
    NotFound any,
    /// 410 `UNSUPPORTED_API_VERSION`.
    Retired any,
    /// 302 to somewhere else.
    Redirect all,
    /// 420 with HTML.
    Busy420 all,
    /// 429 with `Retry-After`.
    TooManyRequests all,
    /// 500 with HTML.
    Restarting all,
    /// 500 `UNKNOWN_EXCEPTION`.
    UnknownException any,
    /// 502 with HTML.
    BadGateway all,
    /// 503 without a body.
    Unavailable all,
    /// 503 with `Retry-After`.
    UnavailableFor all,
    /// 503 with a `Retry-After` of hours, which nobody waits for.
    UnavailableForHours all,
    /// 503 for five calls.
    UnavailableLong all,
    /// 503 from here on.
    DownForEver all,
    // --- signing in
    /// 400 `invalid_grant`.
    TokenRefused token,
    /// 400 `unknown_error`, "retry your request".
    TokenUnknownError token,
    // --- Bulk jobs
    /// The org refuses the object: 400 `INVALIDENTITY`.
    EntityRefused newjob,
    /// The job fails and says why.
    JobFails job,
    /// Somebody aborts the job.
    JobAborted job,
    /// The job is seen at work for another five looks.
    JobSlow job,
    /// The job is never done.
    JobNeverEnds job,
    /// The job is seen once in a state that nobody knows.
    JobUnknownState job,
    /// The cursor or locator is dead: 400 `INVALID_QUERY_LOCATOR`.
    DeadLocator cursor,
    // --- pages of CSV
    /// The page's head announces one row more.
    CountTooHigh csv,
    /// One row less.
    CountTooLow csv,
    /// No number.
    CountGarbled csv,
    /// No count at all: tolerated, as the job tells a total.
    CountMissing csv,
    /// The page names itself as the next.
    LocatorRepeats csv,
    /// The page says that it is the last one, and is not.
    LocatorEndsEarly csv,
    /// The page does not say what follows.
    LocatorMissing csv,
    /// The page before comes again in its place.
    PageTwice csv,
    /// The page after it comes in its place.
    PageSkipped csv,
    /// A column has another name.
    HeaderOther csv,
    /// The header line is missing.
    HeaderMissing csv,
    /// A row lacks a cell.
    CellMissing csv,
    /// A row has a cell too many.
    CellTooMany csv,
    /// A quote is missing.
    QuoteMissing csv,
    /// A byte that is no UTF-8.
    NotUtf8 csv,
    /// Lines end with CR LF: tolerated.
    LinesCrLf csv,
    /// A byte order mark: tolerated.
    ByteOrderMark csv,
    // --- pages of JSON
    /// The page says that it is the last one, and is not.
    DoneEarly rows,
    /// The page names itself as the next.
    NextRepeats rows,
    /// A record is missing.
    RecordMissing rows,
    /// A record comes twice.
    RecordTwice rows,
    /// A record lacks a field.
    FieldMissing rows,
    /// The page before comes again in its place.
    RestPageTwice more,
    // --- several in one call
    /// A part is missing.
    PartMissing composite,
    /// A part comes twice, and another not at all.
    PartTwice composite,
    /// A part is refused with what another try helps: `QUERY_TIMEOUT`.
    PartTimesOut composite,
    /// A part is refused with 500 `UNKNOWN_EXCEPTION`.
    PartFails composite,
    /// The parts come in another order: tolerated, as each says which it is.
    PartsReversed composite,
    // --- files
    /// A bit in the middle of the content is another.
    BlobFlipped blob,
}
