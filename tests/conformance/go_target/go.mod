module example.invalid/health-only

go 1.21
