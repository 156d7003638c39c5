"""Trends, seasonal cycles and area-weighted means of XCO2 series and maps; daily emissions and their changes."""
