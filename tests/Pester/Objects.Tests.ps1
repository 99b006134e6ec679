# Every object that the module emits means the same to every cmdlet, in whatever state it arrives: the same disk, or an error.

BeforeDiscovery {
    # Each gives what it found or did as a text that is another one for another disk.
    $cmdlets = @(
        @{ Name = 'Read-Qcow2Image'; Run = { "$($args[0] | Read-Qcow2Image -Count 1)" } }
        @{ Name = 'Convert-Qcow2Image'; Run = { $args[0] | Convert-Qcow2Image -DestinationPath out.raw -Force; [IO.File]::ReadAllBytes("$PWD/out.raw")[0] } }
        @{ Name = 'Export-Qcow2Snapshot'; Run = { $args[0] | Export-Qcow2Snapshot -DestinationPath out.raw -Force; [IO.File]::ReadAllBytes("$PWD/out.raw")[0] } }
        @{ Name = 'Measure-Qcow2Image'; Run = { $args[0] | Measure-Qcow2Image | ForEach-Object { "$($_.RequiredBytes) $($_.SnapshotId)" } } }
        @{ Name = 'Compare-Qcow2Image'; Run = { $args[0] | Compare-Qcow2Image -DifferencePath old.raw | ForEach-Object { "$($_.AreEqual) $($_.SnapshotId)" } } }
        @{ Name = 'Get-Qcow2Extent'; Run = { $args[0] | Get-Qcow2Extent | ForEach-Object { "$($_.Offset) $($_.HostOffset) $($_.SnapshotName)" } } }
        @{ Name = 'Get-Qcow2Image'; Run = { $args[0] | Get-Qcow2Image | ForEach-Object { "$($_.Path) $($_.Format)" } } }
        @{ Name = 'Get-Qcow2Snapshot'; Run = { $args[0] | Get-Qcow2Snapshot | ForEach-Object { "$($_.Path) $($_.Id)" } } }
        @{ Name = 'Test-Qcow2Image'; Run = { ($args[0] | Test-Qcow2Image).Path } }
        @{ Name = 'Write-Qcow2Image'; Writes = $true; Run = { $args[0] | Write-Qcow2Image -Offset 0 -Value 77 } }
        @{ Name = 'Resize-Qcow2Image'; Writes = $true; Run = { $args[0] | Resize-Qcow2Image -SizeBytes 32MB } }
        @{ Name = 'Checkpoint-Qcow2Image'; Writes = $true; Run = { $args[0] | Checkpoint-Qcow2Image -SnapshotName new } }
        @{ Name = 'Restore-Qcow2Snapshot'; Writes = $true; Run = { $args[0] | Restore-Qcow2Snapshot -Confirm:$false } }
        @{ Name = 'Rename-Qcow2Snapshot'; Writes = $true; Run = { $args[0] | Rename-Qcow2Snapshot -NewName other } }
        @{ Name = 'Remove-Qcow2Snapshot'; Writes = $true; Run = { $args[0] | Remove-Qcow2Snapshot -Confirm:$false } }
        @{ Name = 'Repair-Qcow2Image'; Writes = $true; Run = { ($args[0] | Repair-Qcow2Image -Mode Leaks).Path } }
        @{ Name = 'Optimize-Qcow2Image'; Writes = $true; Run = { ($args[0] | Optimize-Qcow2Image -PassThru).Path } }
        @{ Name = 'Merge-Qcow2Image'; Writes = $true; Run = { $args[0] | Merge-Qcow2Image -Confirm:$false } }
        @{ Name = 'Set-Qcow2Image'; Writes = $true; Run = { $args[0] | Set-Qcow2Image -BackingFile '' } }
    )
}

Describe 'Objects of the module' {
    BeforeAll {
        . $PSScriptRoot/Shared.ps1
        $module = Get-TestedModulePath
        Import-Module $module
        Push-Location (New-Item -ItemType Directory (Join-Path $TestDrive 'objects'))

        # Another image would match the name as a wildcard.
        New-Qcow2Image 'vm[1].qcow2' 16MB > $null
        Write-Qcow2Image -LiteralPath 'vm[1].qcow2' -Offset 0 -Value 1
        Checkpoint-Qcow2Image -LiteralPath 'vm[1].qcow2' old
        Convert-Qcow2Image -LiteralPath 'vm[1].qcow2' old.raw
        Write-Qcow2Image -LiteralPath 'vm[1].qcow2' -Offset 0 -Value 2
        Write-Qcow2Image -LiteralPath 'vm[1].qcow2' -Offset 1MB -Value ([byte[]] (,3 * 200KB))

        # A time of a table that has no seconds is taken for a minute. A test that takes a snapshot anew in that minute would not see the difference.
        while ((Get-Date).Second -eq 0) {
            Start-Sleep -Milliseconds 100
        }

        Checkpoint-Qcow2Image -LiteralPath 'vm[1].qcow2' middle
        Write-Qcow2Image -LiteralPath 'vm[1].qcow2' -Offset 0 -Value 4
        Copy-Item -LiteralPath 'vm[1].qcow2' pristine
        New-Qcow2Image vm1.qcow2 16MB > $null
        Write-Qcow2Image vm1.qcow2 -Offset 0 -Value 9
        $decoy = Get-Sha256 vm1.qcow2

        $emit = {
            param($Module, $Folder)
            Import-Module $Module
            Set-Location $Folder
            $image = @{ LiteralPath = "$Folder/vm[1].qcow2" }
            @{
                Qcow2ImageInfo = Get-Qcow2Image @image
                Qcow2Snapshot = Get-Qcow2Snapshot @image old
                Qcow2Bitmap = [Qcow2.Engine.Qcow2Bitmap] @{ Path = $image.LiteralPath; Name = 'nightly'; Granularity = 65536 }
                Qcow2KeySlot = [Qcow2.Engine.Qcow2KeySlot] @{ Path = $image.LiteralPath; KeySlot = 3; IsActive = $true }
                Qcow2Extent = Get-Qcow2Extent @image | Select-Object -First 1
                'Qcow2Extent of a snapshot' = Get-Qcow2Extent @image -SnapshotName old | Select-Object -First 1
                Qcow2Partition = [Qcow2.Engine.Qcow2Partition] @{ Path = $image.LiteralPath; PartitionNumber = 1; Offset = 1MB; Size = 1MB }
                'Qcow2Partition of a snapshot' = [Qcow2.Engine.Qcow2Partition] @{ Path = $image.LiteralPath; PartitionStyle = 'Gpt'; SnapshotName = 'old'; SnapshotId = '1' }
                Qcow2ImagePicture = Show-Qcow2Image @image -Width 40
                'Qcow2ImagePicture of a snapshot' = Show-Qcow2Image @image -SnapshotName old -Width 40
                Qcow2CheckResult = Test-Qcow2Image @image
                Qcow2CompareResult = Compare-Qcow2Image @image -DifferencePath old.raw
                'Qcow2CompareResult of a snapshot' = Compare-Qcow2Image @image -SnapshotName middle -DifferencePath old.raw
                Qcow2MeasureResult = Measure-Qcow2Image @image
                'Qcow2MeasureResult of a snapshot' = Measure-Qcow2Image @image -SnapshotName old
                Qcow2OptimizeResult = [Qcow2.Engine.Qcow2OptimizeResult] @{ Path = $image.LiteralPath; IsReplaced = $true }
                'Qcow2ImageInfo of a raw disk' = [Qcow2.Engine.Qcow2ImageInfo] @{ Path = $image.LiteralPath; Format = 'raw'; Size = 1MB }
            }
        }
        $live = & $emit $module "$PWD"
        $fromJob = Start-Job $emit -ArgumentList $module, "$PWD" | Receive-Job -Wait -AutoRemoveJob

        function Get-State {
            param([string] $State, [string] $Type)
            $object = $live[$Type]
            switch ($State) {
                'Clixml' { $object | Export-Clixml x.xml; Import-Clixml x.xml }
                'Job' { $fromJob[$Type] }
                'Select' { $object | Select-Object * }
                'SelectThenClixml' { $object | Select-Object * | Export-Clixml x.xml; Import-Clixml x.xml }
                'Csv' { $object | Export-Csv x.csv; Import-Csv x.csv }
                'CsvWithType' { $object | Export-Csv x.csv -IncludeTypeInformation; Import-Csv x.csv }
                'Json' { $object | ConvertTo-Json -Depth 5 | ConvertFrom-Json }
                'Row' { $row = [ordered] @{}; $object.PSObject.Properties | ForEach-Object { $row[$_.Name] = $_.Value }; [pscustomobject] $row }
            }
        }

        # What a cmdlet does with an object: what it emits, its error, and what is in the image then.
        function Get-Outcome {
            param($Object, [scriptblock] $Run, [switch] $Writes)
            Remove-Item out.raw -ErrorAction Ignore
            if ($Writes) {
                Copy-Item pristine "$PWD/vm[1].qcow2" -Force
            }

            $outcome = try {
                $ErrorActionPreference = 'Stop'
                & $Run $Object
            } catch {
                "error $($_.FullyQualifiedErrorId)"
            }

            if ($Writes) {
                $now = Get-Qcow2Image -LiteralPath 'vm[1].qcow2'
                $outcome = "$outcome; $($now.Size), $($now.Snapshots), $(Read-Qcow2Image -LiteralPath 'vm[1].qcow2' -Count 1)"
                $outcome = $outcome -replace "$(Get-Date -Format yyyy)\S+ \S+"
            }

            "$outcome"
        }
    }

    AfterAll {
        Pop-Location
    }

    It '<Name> does with every one, in every state, what it does with the live one' -ForEach $cmdlets {
        $changes = [bool] $_['Writes']
        $wrong = foreach ($type in $live.Keys) {
            $expected = Get-Outcome $live[$type] $Run -Writes:$changes
            foreach ($state in 'Clixml', 'Job', 'Select', 'SelectThenClixml', 'Csv', 'CsvWithType', 'Json', 'Row') {
                $actual = Get-Outcome (Get-State $state $type) $Run -Writes:$changes
                if ($actual -ne $expected) {
                    "$type, ${state}: '$actual', not '$expected'"
                }
            }
        }

        $wrong | Should -BeNullOrEmpty
        Get-Sha256 vm1.qcow2 | Should -Be $decoy
    }

    It 'reads the disk that a live object is about' {
        $disks = @{}
        $live.Keys | ForEach-Object { $disks[$_] = Get-Outcome $live[$_] { "$($args[0] | Read-Qcow2Image -Count 1)" } }
        $disks['Qcow2Snapshot', 'Qcow2Extent of a snapshot', 'Qcow2Partition of a snapshot', 'Qcow2ImagePicture of a snapshot', 'Qcow2MeasureResult of a snapshot'] | Should -Be '1', '1', '1', '1', '1'
        $disks['Qcow2CompareResult of a snapshot'] | Should -Be '2'
        $disks['Qcow2ImageInfo', 'Qcow2Extent', 'Qcow2Partition', 'Qcow2ImagePicture', 'Qcow2Bitmap', 'Qcow2KeySlot', 'Qcow2CheckResult'] | Should -Be '4', '4', '4', '4', '4', '4', '4'
        $disks['Qcow2ImageInfo of a raw disk'] | Should -Be ([int][char] 'Q') -Because 'it is read as the raw disk that the object says, though a guest made it begin as an image'
    }

    It 'takes every set of properties that says which snapshot is meant' {
        $snapshot = $live['Qcow2Snapshot']
        foreach ($row in @(
                $snapshot | Select-Object Path, Id, Name
                $snapshot | Select-Object Path, Id
                $snapshot | Select-Object Path, Name
                $snapshot | Select-Object Path, Id, Name | ConvertTo-Csv | ConvertFrom-Csv
                $snapshot | Select-Object Path, Id, Name, CreationTime | ConvertTo-Csv | ConvertFrom-Csv
                $snapshot | Select-Object @{ n = 'FullName'; e = { $_.Path } }, Id
                [pscustomobject] @{ Path = $snapshot.Path; Id = $snapshot.Id; Name = $snapshot.Name }
                [pscustomobject] @{ LiteralPath = $snapshot.Path; SnapshotName = 'old' }
                [pscustomobject] @{ Path = $snapshot.Path; SnapshotId = 1 }
                [pscustomobject] @{ PSTypeName = 'Qcow2.Engine.Qcow2Snapshot'; Path = $snapshot.Path; Id = '1' }
                [Qcow2.Engine.Qcow2Snapshot] @{ Path = $snapshot.Path; Id = '1' }

                # Whatever else the row says of the image.
                [pscustomobject] @{ Path = $snapshot.Path; Id = '1'; Name = 'old'; Format = 'qcow2'; Size = 1; FileSize = 1 }
                [pscustomobject] @{ Path = $snapshot.Path; Id = '1'; Name = 'old'; Granularity = 3 }
                [pscustomobject] @{ Path = $snapshot.Path; SnapshotId = '1'; IsHealthy = $true; Corruptions = 0 }
                $live['Qcow2ImageInfo'] | Select-Object Path, @{ n = 'SnapshotId'; e = { $_.Snapshots[0].Id } }, @{ n = 'SnapshotName'; e = { $_.Snapshots[0].Name } }
                $live['Qcow2ImageInfo'] | Select-Object *, @{ n = 'SnapshotId'; e = { '1' } } | ConvertTo-Csv | ConvertFrom-Csv

                # The id is empty or was left out.
                [pscustomobject] @{ Path = $snapshot.Path; Id = ''; Name = 'old' }
                [pscustomobject] @{ Path = $snapshot.Path; Id = $null; Name = 'old' }
                $snapshot | Select-Object * -ExcludeProperty Id | ConvertTo-Json | ConvertFrom-Json
                $snapshot | Select-Object Path, Name, CreationTime, DiskSize | ConvertTo-Json | ConvertFrom-Json

                # By the parameters' aliases.
                [pscustomobject] @{ LP = $snapshot.Path; Id = '1'; Name = 'old' }
                [pscustomobject] @{ Path = $snapshot.Path; CheckpointName = 'old' }
                [pscustomobject] @{ Path = $snapshot.Path; CheckpointId = '1' }
            )) {
            $row | Read-Qcow2Image -Count 1 -ErrorAction Stop | Should -Be 1 -Because "$row"
        }

        Read-Qcow2Image -InputObject @{ Path = $snapshot.Path; Id = '1' } -Count 1 | Should -Be 1
        $row = [pscustomobject] @{ Path = $snapshot.Path; Id = '1'; Name = 'old'; Format = 'qcow2'; Size = 1; FileSize = 1 }
        { $row | Write-Qcow2Image -Offset 0 -Value 77 -ErrorAction Stop } | Should -Throw -ErrorId 'OperationNotSupported,*' -Because 'a snapshot is not written, nor its image in its place'
        [pscustomobject] @{ LiteralPath = $snapshot.Path; Name = 'a row of a table'; DiskSize = 40GB } | Read-Qcow2Image -Count 1 | Should -Be 4
    }

    It 'takes an object wherever it is given' {
        $dead = $fromJob['Qcow2Snapshot']
        foreach ($object in $live['Qcow2Snapshot'], $dead) {
            Read-Qcow2Image $object -Count 1 | Should -Be 1
            Read-Qcow2Image -InputObject $object -Count 1 | Should -Be 1
            $splat = @{ InputObject = $object; Count = 1 }
            Read-Qcow2Image @splat | Should -Be 1
            Convert-Qcow2Image $object positional.raw -Force
            [IO.File]::ReadAllBytes("$PWD/positional.raw")[0] | Should -Be 1
            (Read-Qcow2Image $object, $object -Count 1).Count | Should -Be 2
        }

        (Read-Qcow2Image -InputObject $fromJob['Qcow2ImageInfo'].Snapshots -Count 1).ForEach({ $_[0] }) -join ' ' | Should -Be '1 2'
        (Get-Item -LiteralPath 'vm[1].qcow2' | Read-Qcow2Image -Count 1) | Should -Be 4
        Read-Qcow2Image (Get-Item -LiteralPath 'vm[1].qcow2') -Count 1 | Should -Be 4 -Because 'the name of a file that is there is no wildcard'
    }

    It 'takes other columns of a row beside the object' {
        [pscustomobject] @{ Path = $live['Qcow2Snapshot'].Path; Id = 1; DestinationPath = 'column.raw' } | Convert-Qcow2Image
        [IO.File]::ReadAllBytes("$PWD/column.raw")[0] | Should -Be 1
    }

    It 'never takes the text of an object for a path' {
        Set-Content old 'a file whose name is that of the snapshot'
        $snapshot = $live['Qcow2Snapshot']
        $result = $live['Qcow2CompareResult of a snapshot']
        { Read-Qcow2Image -Path $snapshot -Count 1 } | Should -Throw -ErrorId 'ParameterArgumentTransformationError,*' -ExpectedMessage '*-InputObject*'
        { Read-Qcow2Image -LiteralPath $snapshot -Count 1 } | Should -Throw -ErrorId 'ParameterArgumentTransformationError,*'
        { Read-Qcow2Image -Path $fromJob['Qcow2Snapshot'] -Count 1 } | Should -Throw -ErrorId 'ParameterArgumentTransformationError,*'
        { Compare-Qcow2Image vm1.qcow2 -DifferencePath $snapshot } | Should -Throw -ErrorId 'ParameterArgumentTransformationError,*'
        { New-Qcow2Image new.qcow2 -BackingFile $snapshot -BackingFormat qcow2 } | Should -Throw -ErrorId 'ParameterArgumentTransformationError,*'
        { Convert-Qcow2Image vm1.qcow2 -DestinationPath $snapshot } | Should -Throw -ErrorId 'ParameterArgumentTransformationError,*'
        { Read-Qcow2Image vm1.qcow2 -OutputFile $fromJob['Qcow2Extent'] } | Should -Throw -ErrorId 'ParameterArgumentTransformationError,*'
        { $result.Ranges | Read-Qcow2Image -Count 1 -ErrorAction Stop } | Should -Throw -ErrorId 'InputObjectNotBound,*'
        { $fromJob['Qcow2CompareResult'].Ranges | Read-Qcow2Image -Count 1 -ErrorAction Stop } | Should -Throw -ErrorId 'InputObjectNotBound,*'
        Remove-Item old
    }

    It 'takes the description of an image for its file where a file is asked for' {
        foreach ($info in (Get-Qcow2Image vm1.qcow2), (Get-Qcow2Image vm1.qcow2 | Select-Object Path, Format, Size)) {
            $overlay = New-Qcow2Image overlay.qcow2 -BackingFile $info -BackingFormat qcow2 -Force
            $overlay.ParentPath | Should -Be "$PWD/vm1.qcow2".Replace('/', [IO.Path]::DirectorySeparatorChar)
            (Compare-Qcow2Image overlay.qcow2 $info).AreEqual | Should -BeTrue
        }
    }

    It 'compares again what a result compared, snapshots and all' {
        $result = Compare-Qcow2Image -LiteralPath 'vm[1].qcow2' -SnapshotName middle -DifferencePath $live['Qcow2Snapshot'].Path -DifferenceSnapshotName old
        $result.DifferenceSnapshotId | Should -Be 1
        foreach ($again in ($result | Compare-Qcow2Image), ($result | ConvertTo-Csv | ConvertFrom-Csv | Compare-Qcow2Image)) {
            $again.DifferenceSnapshotName | Should -Be old
            $again.DifferingBytes | Should -Be $result.DifferingBytes
        }
    }

    It 'refuses an object that lost what says which disk it is about' {
        $lost = $live['Qcow2Extent of a snapshot'] | Select-Object Path, Offset, Length
        { $lost | Read-Qcow2Image -Count 1 -ErrorAction Stop } | Should -Throw -ErrorId 'ObjectIncomplete,*' -ExpectedMessage '*SnapshotId*'
        { $live['Qcow2Snapshot'] | Select-Object Path | Read-Qcow2Image -Count 1 -ErrorAction Stop } | Should -Throw -ErrorId 'SnapshotNotFound,*'
        ($live['Qcow2Snapshot'] | Select-Object Path | Test-Qcow2Image).IsHealthy | Should -BeTrue -Because 'the file as a whole is meant'
    }

    It 'refuses a snapshot that is another one by now' {
        Copy-Item pristine moving.qcow2 -Force
        $objects = Get-Qcow2Snapshot moving.qcow2
        $objects | Export-Clixml moving.xml
        $objects | Export-Csv moving.csv
        Rename-Qcow2Snapshot moving.qcow2 old -NewName other
        foreach ($old in $objects[0], (Import-Clixml moving.xml)[0], (Import-Csv moving.csv)[0]) {
            { $old | Read-Qcow2Image -Count 1 -ErrorAction Stop } | Should -Throw -ErrorId 'SnapshotChanged,*' -ExpectedMessage '*other*'
            { $old | Restore-Qcow2Snapshot -Confirm:$false -ErrorAction Stop } | Should -Throw -ErrorId 'SnapshotChanged,*'
        }

        # The same id and name, taken at another time.
        Start-Sleep -Milliseconds 1100
        Remove-Qcow2Snapshot moving.qcow2 middle -Confirm:$false
        Checkpoint-Qcow2Image moving.qcow2 middle
        foreach ($old in $objects[1], (Import-Clixml moving.xml)[1], (Import-Csv moving.csv)[1]) {
            { $old | Remove-Qcow2Snapshot -Confirm:$false -ErrorAction Stop } | Should -Throw -ErrorId 'SnapshotChanged,*'
            { $old | Convert-Qcow2Image -DestinationPath moving.raw -ErrorAction Stop } | Should -Throw -ErrorId 'SnapshotChanged,*'
        }

        Remove-Qcow2Snapshot moving.qcow2 * -Confirm:$false
        { $objects[0] | Read-Qcow2Image -Count 1 -ErrorAction Stop } | Should -Throw -ErrorId 'SnapshotNotFound,*'
        { $objects[0] | Get-Qcow2Snapshot -ErrorAction Stop } | Should -Throw -ErrorId 'SnapshotNotFound,*'
    }

    It 'refuses an object of another computer, whatever lies at its path here' {
        foreach ($type in $live.Keys) {
            $remote = $fromJob[$type] | Select-Object * | Add-Member PSComputerName elsewhere -Force -PassThru
            { $remote | Get-Qcow2Image -ErrorAction Stop } | Should -Throw -ErrorId 'ImageOnOtherComputer,*' -ExpectedMessage "*'elsewhere'*"
        }

        $file = Get-Item vm1.qcow2 | Add-Member PSComputerName elsewhere -PassThru
        { $file | Get-Qcow2Image -ErrorAction Stop } | Should -Throw -ErrorId 'ImageOnOtherComputer,*'
        ($fromJob['Qcow2ImageInfo'] | Get-Qcow2Image).Path | Should -Be $live['Qcow2ImageInfo'].Path -Because 'jobs are of this computer'
    }

    It 'reports an image that is not there' {
        $gone = $live['Qcow2ImageInfo'] | Select-Object Path, Size
        $gone.Path = '/nowhere/vm.qcow2'
        { $gone | Get-Qcow2Image -ErrorAction Stop } | Should -Throw -ErrorId 'PathNotFound,*'
        { [pscustomobject] @{ Path = 'missing.qcow2'; Id = 1; Name = 'old' } | Read-Qcow2Image -Count 1 -ErrorAction Stop } | Should -Throw -ErrorId 'PathNotFound,*'
    }

    It 'refuses parameters that contradict the object' {
        { $live['Qcow2Snapshot'] | Read-Qcow2Image -Count 1 -SnapshotName middle -ErrorAction Stop } | Should -Throw -ErrorId 'ParameterConflict,*'
        $live['Qcow2Snapshot'] | Read-Qcow2Image -Count 1 -SnapshotName old | Should -Be 1
        $live['Qcow2Snapshot'] | Read-Qcow2Image -Count 1 -Id 1 | Should -Be 1
    }
}
