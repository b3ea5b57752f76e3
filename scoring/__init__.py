"""PancapScore: how well one panoptic caption says what another says."""
