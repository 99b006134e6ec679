# Which snapshot and which file a text means, by one rule for all cmdlets.

BeforeAll {
    . $PSScriptRoot/Shared.ps1
    Import-Module (Get-TestedModulePath)
    Copy-Fixture snapshots.qcow2 $TestDrive
    Push-Location $TestDrive

    # The snapshot with the id 2 is called '3', which is the id of another.
    New-Qcow2Image clash.qcow2 16MB > $null
    Write-Qcow2Image clash.qcow2 -Offset 0 -Value 11
    Checkpoint-Qcow2Image clash.qcow2 temporary
    Write-Qcow2Image clash.qcow2 -Offset 0 -Value 22
    Checkpoint-Qcow2Image clash.qcow2 '3'
    Write-Qcow2Image clash.qcow2 -Offset 0 -Value 33
    Checkpoint-Qcow2Image clash.qcow2 'a[1]'
    Write-Qcow2Image clash.qcow2 -Offset 0 -Value 44
    Checkpoint-Qcow2Image clash.qcow2 A1
    Checkpoint-Qcow2Image clash.qcow2 case
    Checkpoint-Qcow2Image clash.qcow2 CASE
    Write-Qcow2Image clash.qcow2 -Offset 0 -Value 99
    Copy-Item clash.qcow2 pristine
}

AfterAll {
    Pop-Location
}

Describe 'A snapshot by an id that is the name of another' {
    BeforeEach {
        Copy-Item pristine clash.qcow2
    }

    It 'is an error of every cmdlet, which lists both' -ForEach @(
        { Read-Qcow2Image clash.qcow2 -Count 1 -SnapshotName 3 -ErrorAction Stop }
        { Convert-Qcow2Image clash.qcow2 x.raw -SnapshotName 3 -ErrorAction Stop }
        { Export-Qcow2Snapshot clash.qcow2 x.raw -SnapshotName 3 -ErrorAction Stop }
        { Measure-Qcow2Image clash.qcow2 -SnapshotName 3 -ErrorAction Stop }
        { Get-Qcow2Extent clash.qcow2 -SnapshotName 3 -ErrorAction Stop }
        { Start-Qcow2NbdServer clash.qcow2 -Port 0 -SnapshotName 3 -ErrorAction Stop }
        { Compare-Qcow2Image clash.qcow2 clash.qcow2 -SnapshotName 3 -ErrorAction Stop }
        { Compare-Qcow2Image clash.qcow2 clash.qcow2 -DifferenceSnapshotName 3 -ErrorAction Stop }
        { Restore-Qcow2Snapshot clash.qcow2 3 -Confirm:$false -ErrorAction Stop }
        { Rename-Qcow2Snapshot clash.qcow2 3 new -ErrorAction Stop }
        { Remove-Qcow2Snapshot clash.qcow2 3 -Confirm:$false -ErrorAction Stop }
        { Get-Qcow2Snapshot clash.qcow2 3 -ErrorAction Stop }
    ) {
        $_ | Should -Throw -ErrorId 'SnapshotAmbiguous,*' -ExpectedMessage "*'3' (id 2)*'a?1?' (id 3)*"
        Get-Sha256 clash.qcow2 | Should -Be (Get-Sha256 pristine)
    }

    It 'is settled by -Id, alone or beside the name' {
        Read-Qcow2Image clash.qcow2 -Count 1 -Id 3 | Should -Be 33
        Read-Qcow2Image clash.qcow2 -Count 1 -Id 2 | Should -Be 22
        Read-Qcow2Image clash.qcow2 -Count 1 -Id 2 -SnapshotName 3 | Should -Be 22
        { Read-Qcow2Image clash.qcow2 -Count 1 -Id 3 -SnapshotName 3 -ErrorAction Stop } | Should -Throw -ErrorId 'SnapshotChanged,*'
        (Compare-Qcow2Image clash.qcow2 clash.qcow2 -Id 3 -DifferenceSnapshotId 2).AreEqual | Should -BeFalse
        (Get-Qcow2Snapshot clash.qcow2 3 -Id 2).Name | Should -Be 3
        Restore-Qcow2Snapshot clash.qcow2 -Id 2 -Confirm:$false
        Read-Qcow2Image clash.qcow2 -Count 1 | Should -Be 22
        Remove-Qcow2Snapshot clash.qcow2 3 -Id 2 -Confirm:$false
        (Get-Qcow2Snapshot clash.qcow2).Id | Should -Not -Contain 2
    }

    It 'is what -Id finds in every cmdlet that takes a snapshot, under both of its names' {
        foreach ($name in 'Read-Qcow2Image', 'Convert-Qcow2Image', 'Measure-Qcow2Image', 'Get-Qcow2Extent', 'Get-Qcow2Partition', 'Show-Qcow2Image', 'Start-Qcow2NbdServer', 'Compare-Qcow2Image', 'Export-Qcow2Snapshot',
            'Restore-Qcow2Snapshot', 'Rename-Qcow2Snapshot', 'Remove-Qcow2Snapshot', 'Get-Qcow2Snapshot') {
            $command = Get-Command $name
            $command.ResolveParameter('Id').Name | Should -Be Id
            $command.ResolveParameter('SnapshotId').Name | Should -Be Id
            $command.ResolveParameter('SnapshotName').Name | Should -Not -BeNullOrEmpty
        }
    }

    It 'comes down the pipeline as the one it is' {
        (Get-Qcow2Snapshot clash.qcow2 | Read-Qcow2Image -Count 1).ForEach({ $_[0] }) | Should -Be 11, 22, 33, 44, 44, 44
        Get-Qcow2Snapshot clash.qcow2 -Id 3 | Remove-Qcow2Snapshot -Confirm:$false
        (Get-Qcow2Snapshot clash.qcow2).Id | Should -Be 1, 2, 4, 5, 6
    }
}

Describe 'A snapshot by its name' {
    BeforeEach {
        Copy-Item pristine clash.qcow2
    }

    It 'may be written in another case, unless that tells two apart' {
        Read-Qcow2Image clash.qcow2 -Count 1 -SnapshotName TEMPORARY | Should -Be 11
        (Get-Qcow2Snapshot clash.qcow2 TEMPORARY).Id | Should -Be 1
        (Get-Qcow2Snapshot clash.qcow2 CASE).Id | Should -Be 6
        Remove-Qcow2Snapshot clash.qcow2 case -Confirm:$false
        (Get-Qcow2Snapshot clash.qcow2 c*).Id | Should -Be 6
        { Read-Qcow2Image clash.qcow2 -Count 1 -SnapshotName a1x -ErrorAction Stop } | Should -Throw -ErrorId 'SnapshotNotFound,*'
        Copy-Item pristine clash.qcow2
        { Restore-Qcow2Snapshot clash.qcow2 Case -Confirm:$false -ErrorAction Stop } | Should -Throw -ErrorId 'SnapshotAmbiguous,*' -ExpectedMessage '*id 5*id 6*'
        { Remove-Qcow2Snapshot clash.qcow2 Case -Confirm:$false -ErrorAction Stop } | Should -Throw -ErrorId 'SnapshotAmbiguous,*'
    }

    It 'may hold brackets, which match first' {
        (Get-Qcow2Snapshot clash.qcow2 'a[1]').Name | Should -Be A1
        (Get-Qcow2Snapshot clash.qcow2 'a`[1`]').Id | Should -Be 3
        Remove-Qcow2Snapshot clash.qcow2 A1 -Confirm:$false
        (Get-Qcow2Snapshot clash.qcow2 'a[1]').Id | Should -Be 3 -Because 'nothing else matches'
        Read-Qcow2Image clash.qcow2 -Count 1 -SnapshotName 'a[1]' | Should -Be 33 -Because 'the parameter takes no wildcards'
        { Get-Qcow2Snapshot clash.qcow2 'b[1]' -ErrorAction Stop } | Should -Throw -ErrorId 'SnapshotNotFound,*'
        { Get-Qcow2Snapshot clash.qcow2 'b[1' -ErrorAction Stop } | Should -Throw -ErrorId 'SnapshotNotFound,*'
    }

    It 'matches nothing with a wildcard, and says so' {
        $said = Remove-Qcow2Snapshot clash.qcow2 'nightly-*' -Confirm:$false -Verbose -ErrorAction Stop 4>&1
        "$said" | Should -BeLike "*nightly-*"
    }

    It 'may be that of several, which only listing takes' {
        Copy-Item snapshots.qcow2 twins.qcow2
        (Get-Qcow2Snapshot twins.qcow2 twin).Id | Should -Be 2, 3
        { Remove-Qcow2Snapshot twins.qcow2 twin -Confirm:$false -ErrorAction Stop } | Should -Throw -ErrorId 'SnapshotAmbiguous,*' -ExpectedMessage '*id 2*id 3*'
        { Restore-Qcow2Snapshot twins.qcow2 twin -Confirm:$false -ErrorAction Stop } | Should -Throw -ErrorId 'SnapshotAmbiguous,*'
        (Get-Qcow2Snapshot twins.qcow2).Count | Should -Be 4
        Remove-Qcow2Snapshot twins.qcow2 twin -Id 3 -Confirm:$false
        (Get-Qcow2Snapshot twins.qcow2).Id | Should -Be 1, 2, 4
        Remove-Qcow2Snapshot twins.qcow2 tw* -Confirm:$false
        (Get-Qcow2Snapshot twins.qcow2).Id | Should -Be 1, 4
    }

    It 'is what qemu-img finds by id and by name' -Skip:(-not (Get-Command qemu-img -ErrorAction Ignore)) {
        foreach ($by in @{ Ours = @{ Id = '3' }; Theirs = 'snapshot.id=3' }, @{ Ours = @{ Id = '2'; SnapshotName = '3' }; Theirs = 'snapshot.id=2,snapshot.name=3' }, @{ Ours = @{ SnapshotName = 'temporary' }; Theirs = 'snapshot.name=temporary' }) {
            $ours = $by.Ours
            qemu-img convert -l $by.Theirs -O raw clash.qcow2 theirs.raw
            Read-Qcow2Image clash.qcow2 -Count 1 @ours | Should -Be ([IO.File]::ReadAllBytes("$PWD/theirs.raw")[0])
        }
    }
}

Describe 'A path' {
    BeforeAll {
        New-Item -ItemType Directory paths > $null
        Push-Location paths
        New-Qcow2Image 'vm [1].qcow2' 1MB > $null
        New-Qcow2Image 'open[1.qcow2' 2MB > $null
        New-Qcow2Image 'both[1].qcow2' 3MB > $null
        New-Qcow2Image both1.qcow2 4MB > $null
        New-Item -ItemType Directory folder1.qcow2, 'folder[2].qcow2' > $null
    }

    AfterAll {
        Pop-Location
    }

    It 'with brackets that match nothing is a name' {
        (Get-Qcow2Image 'vm [1].qcow2').Size | Should -Be 1MB
        ('vm [1].qcow2' | Get-Qcow2Image).Size | Should -Be 1MB
        ([pscustomobject] @{ Path = 'vm [1].qcow2' } | Get-Qcow2Image).Size | Should -Be 1MB
        (Get-Qcow2Image 'open[1.qcow2').Size | Should -Be 2MB
        Convert-Qcow2Image 'vm [1].qcow2' backup.raw
        (Get-Item backup.raw).Length | Should -Be 1MB
    }

    It 'with brackets that match is a wildcard' {
        (Get-Qcow2Image 'both[1].qcow2').Size | Should -Be 4MB
        (Get-Qcow2Image -LiteralPath 'both[1].qcow2').Size | Should -Be 3MB
        (Get-Qcow2Image (Get-Item -LiteralPath 'both[1].qcow2')).Size | Should -Be 3MB
        (Get-Item -LiteralPath 'both[1].qcow2' | Get-Qcow2Image).Size | Should -Be 3MB
    }

    It 'that leads to nothing is an error of every cmdlet, which does not end the pipeline' {
        foreach ($path in 'nothing*.qcow2', 'nothing[1].qcow2', 'nothing[1', 'nowhere/*.qcow2') {
            { Get-Qcow2Image $path -ErrorAction Stop } | Should -Throw -ErrorId 'PathNotFound,*' -ExpectedMessage "*$([WildcardPattern]::Escape($path.Replace('/', [IO.Path]::DirectorySeparatorChar)))*"
            (Get-Qcow2Image $path, both1.qcow2 -ErrorAction SilentlyContinue -ErrorVariable problem).Size | Should -Be 4MB
            $problem.CategoryInfo.Category | Should -Be ObjectNotFound
        }

        foreach ($command in Get-Command -Module Qcow2 -CommandType Cmdlet | Where-Object { $_.Parameters['Path'] -and $_.Verb -ne 'New' }) {
            $needed = @{ }
            switch ($command.Name) {
                { $_ -match 'Convert|Export' } { $needed = @{ DestinationPath = 'x.raw' } }
                Compare-Qcow2Image { $needed = @{ DifferencePath = 'both1.qcow2' } }
                Read-Qcow2Image { $needed = @{ Count = 1 } }
                Write-Qcow2Image { $needed = @{ Offset = 0; Value = 1 } }
                Resize-Qcow2Image { $needed = @{ SizeBytes = 8MB } }
                Repair-Qcow2Image { $needed = @{ Mode = 'Leaks' } }
                Set-Qcow2Image { $needed = @{ BackingFile = '' } }
                Merge-Qcow2Bitmap { $needed = @{ SourceBitmapName = 'a' } }
                Rename-Qcow2Snapshot { $needed = @{ SnapshotName = 'a'; NewName = 'b' } }
                { $_ -match '(Add|Set)-Qcow2KeySlot' } { $needed = @{ Passphrase = [securestring]::new(); NewPassphrase = [securestring]::new() } }
                { $_ -match '(Restore|Remove)-Qcow2Snapshot' } { $needed = @{ SnapshotName = 'a' } }
            }

            & $command 'nothing*.qcow2' @needed -ErrorAction SilentlyContinue -ErrorVariable problem
            "$($problem.FullyQualifiedErrorId)" | Should -BeLike 'PathNotFound,*' -Because $command.Name
        }
    }

    It 'that matches folders alone is an error; beside files, folders are left out' {
        { Get-Qcow2Image 'folder1*' -ErrorAction Stop } | Should -Throw -ErrorId 'PathNotFound,*' -ExpectedMessage '*only folders*'
        { Get-Qcow2Image 'folder[2].qcow2' -ErrorAction Stop } | Should -Throw -ErrorId 'PathIsFolder,*'
        (Get-Qcow2Image *1.qcow2 -ErrorAction Stop).Count | Should -Be 2 -Because 'both1 and open[1 match'
    }

    It 'that is empty or null is an error' {
        foreach ($bad in { Get-Qcow2Image '' }, { Get-Qcow2Image $null }, { Get-Qcow2Image both1.qcow2, $null }, { Get-Qcow2Image -LiteralPath both1.qcow2, '' },
            { '' | Get-Qcow2Image -ErrorAction Stop }, { $null | Get-Qcow2Image -ErrorAction Stop }, { Get-Qcow2Image -InputObject $null }) {
            $bad | Should -Throw -ErrorId 'ParameterArgumentValidationError*'
        }
    }

    It 'is missed by -Concatenate' {
        { @() | Convert-Qcow2Image -DestinationPath joined.qcow2 -Concatenate -ErrorAction Stop } | Should -Throw -ErrorId 'SourceMissing,*'
        Test-Path joined.qcow2 | Should -BeFalse
    }
}
