"""Say what can be said from few seeds: intervals, tests, tie groups, tiers, plans. No torch."""
