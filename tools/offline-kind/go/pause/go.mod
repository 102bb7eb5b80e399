module tekutoko.example/kind/pause

go 1.24
