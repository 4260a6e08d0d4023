//! One self-contained HTML report with pictures for trained and evaluated models.
