//! Brain regions: the Allen structure tree with the Beryl, Cosmos and Swanson parcellations.
