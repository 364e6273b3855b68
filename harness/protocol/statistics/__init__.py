"""Say what can be said from few seeds: intervals, tests, groups, tiers, plans. No torch."""
