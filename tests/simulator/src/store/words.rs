//! Words for generated text. Some are awkward on purpose: quotes, commas, umlauts, other scripts.

/// Words of company names and notes; the first ones are the most frequent.
pub(super) const WORDS: [&str; 96] = [
    "the", "and", "customer", "order", "call", "new", "with", "meeting", "contract", "for", "price", "delivery",
    "asked", "about", "service", "next", "quarter", "team", "renewal", "sent", "offer", "open", "support", "case",
    "invoice", "paid", "visit", "plan", "region", "partner", "north", "west", "office", "budget", "approved",
    "pending", "demo", "training", "product", "licence", "upgrade", "discount", "agreed", "manager", "director",
    "signed", "late", "early", "review", "project", "phase", "rollout", "storage", "cloud", "data", "backup",
    "restore", "audit", "legal", "tax", "payment", "terms", "net", "thirty", "days", "shipping", "warehouse",
    "stock", "supplier", "quality", "issue", "resolved", "escalated", "callback", "voicemail", "e-mail", "follow-up",
    "Zürich", "São Paulo", "Kraków", "naïve", "café", "東京", "Ελλάδα", "Москва", "#N/A", "N/A", "NULL", "50%",
    "\"quoted\"", "a, b", "it's", "C:\\temp", "<b>bold</b>", "emoji 🙂", "tab\there",
];

/// Parts of company names.
pub(super) const COMPANY: [&str; 48] = [
    "Acme", "Northwind", "Contoso", "Globex", "Initech", "Umbra", "Vector", "Summit", "Pioneer", "Cascade", "Harbor",
    "Evergreen", "Blue Ridge", "Redwood", "Granite", "Silverline", "Lakeside", "Meridian", "Atlas", "Orion", "Polaris",
    "Zenith", "Apex", "Nimbus", "Stratus", "Quantum", "Fusion", "Catalyst", "Keystone", "Beacon", "Sterling", "Crown",
    "Liberty", "Heritage", "Frontier", "Horizon", "Alpine", "Coastal", "Prairie", "Delta", "Müller", "Šimek",
    "O'Brien", "Nuñez", "Åström", "Yamato", "Bergström", "Łódź",
];

/// Endings of company names.
pub(super) const COMPANY_END: [&str; 16] = [
    "Inc.", "LLC", "GmbH", "Ltd", "Corp.", "Holdings", "Group", "Industries", "Partners", "Systems", "Logistics",
    "Foods", "Energy", "Health", "Labs", "& Sons, Inc.",
];

/// First names.
pub(super) const FIRST_NAMES: [&str; 32] = [
    "James", "Mary", "Robert", "Patricia", "John", "Jennifer", "Michael", "Linda", "David", "Elizabeth", "William",
    "Barbara", "Richard", "Susan", "Joseph", "Jessica", "Thomas", "Sarah", "Carlos", "María", "José", "Zoë", "Renée",
    "Søren", "Jürgen", "Wei", "Yuki", "Amir", "Fatima", "Olga", "Ivan", "Chloé",
];

/// Last names.
pub(super) const LAST_NAMES: [&str; 32] = [
    "Smith", "Johnson", "Williams", "Brown", "Jones", "Garcia", "Miller", "Davis", "Rodriguez", "Martinez", "Hernandez",
    "Lopez", "Gonzalez", "Wilson", "Anderson", "Thomas", "Taylor", "Moore", "Jackson", "Martin", "Lee", "Perez",
    "Thompson", "White", "O'Connor", "D'Angelo", "Müller", "Nguyễn", "Kowalski", "Sørensen", "Dvořák", "van der Berg",
];

/// Cities.
pub(super) const CITIES: [&str; 16] = [
    "New York", "San Francisco", "Chicago", "Boston", "Austin", "Seattle", "Denver", "Atlanta", "London", "Berlin",
    "München", "Paris", "Lyon", "Tokyo", "Sydney", "Toronto",
];

/// Street names.
pub(super) const STREETS: [&str; 8] =
    ["Main Street", "Market Street", "Oak Avenue", "Park Road", "Hauptstraße", "2nd Avenue", "Elm Drive", "Rue de Rivoli"];

/// Countries.
pub(super) const COUNTRIES: [&str; 6] = ["USA", "Germany", "France", "United Kingdom", "Japan", "Canada"];

/// States and provinces.
pub(super) const STATES: [&str; 8] = ["CA", "NY", "TX", "WA", "MA", "IL", "Bayern", "Ontario"];
