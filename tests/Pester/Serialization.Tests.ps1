# What the module emits is still what it was after a job, remoting, a file: nested objects, numbers, views.

BeforeDiscovery {
    $ways = @(
        @{ Way = 'Export-Clixml'; Get = { param($Emit, $Module, $Folder) & $Emit $Module $Folder | Export-Clixml way.xml; Import-Clixml way.xml } }
        @{ Way = 'Start-Job'; Get = { param($Emit, $Module, $Folder) Start-Job $Emit -ArgumentList $Module, $Folder | Receive-Job -Wait -AutoRemoveJob } }
        @{ Way = 'Start-ThreadJob'; Get = { param($Emit, $Module, $Folder) Start-ThreadJob $Emit -ArgumentList $Module, $Folder | Receive-Job -Wait -AutoRemoveJob } }
        @{
            Way = 'ForEach-Object -Parallel'
            Get = { param($Emit, $Module, $Folder) $text = "$Emit"; 1 | ForEach-Object -Parallel { & ([scriptblock]::Create($using:text)) $using:Module $using:Folder } }
        }
    )
}

Describe 'Objects that cross processes' {
    BeforeAll {
        . $PSScriptRoot/Shared.ps1
        $module = Get-TestedModulePath
        Import-Module $module
        Copy-Fixture snapshots.qcow2, bitmaps.qcow2, luks-slots.qcow2, extension-unknown.qcow2, extl2.qcow2, leaks.qcow2 $TestDrive
        Push-Location $TestDrive
        $emit = {
            param($Module, $Folder)
            Import-Module $Module
            Set-Location $Folder
            @{
                Images = @(Get-Qcow2Image snapshots.qcow2, bitmaps.qcow2, luks-slots.qcow2, extension-unknown.qcow2, extl2.qcow2)
                Snapshots = @(Get-Qcow2Snapshot snapshots.qcow2)
                Extents = @(Get-Qcow2Extent snapshots.qcow2 -Id 1)
                Check = Test-Qcow2Image leaks.qcow2
                Comparison = Compare-Qcow2Image snapshots.qcow2 snapshots.qcow2 -DifferenceSnapshotName first
                Measure = Measure-Qcow2Image snapshots.qcow2
            }
        }
        $live = & $emit $module "$TestDrive"
    }

    AfterAll {
        Pop-Location
    }

    Context 'through <Way>' -ForEach $ways {
        BeforeAll {
            $there = & $Get $emit $module "$TestDrive"
        }

        It 'keep what is nested in them' {
            $snapshots, $bitmaps, $luks, $unknown, $extended = $there.Images
            $snapshots.Snapshots.Name | Should -Be $live.Snapshots.Name
            $snapshots.Snapshots[0].Name | Should -Be first
            $bitmaps.Bitmaps[0].Granularity | Should -Be $live.Images[1].Bitmaps[0].Granularity
            $luks.Luks.Slots.Count | Should -Be 8
            $luks.Luks.Slots[0].IsActive | Should -BeTrue
            $luks.Header.Extensions[0].HeaderLength | Should -BeGreaterThan 0
            $unknown.Header.Extensions[0].Data | Should -Be $live.Images[3].Header.Extensions[0].Data
            , $unknown.Header.Extensions[0].Data | Should -BeOfType byte[]
            , $unknown.Header.AdditionalFields | Should -BeOfType byte[]
            @($extended.Header.Extensions.Features.Name) | Should -Contain 'extended L2 entries'
            $snapshots.Header.RefcountOrder.Bits | Should -Be 16
            $there.Check.Findings[0].Message | Should -Be $live.Check.Findings[0].Message
            $there.Check.Findings[0].Offset | Should -Be $live.Check.Findings[0].Offset
            $there.Comparison.Ranges[0].Length | Should -Be $live.Comparison.Ranges[0].Length
            $there.Comparison.DifferenceSnapshotName | Should -Be first
        }

        It 'keep numbers and times' {
            $there.Images[0].Size | Should -BeOfType long
            $there.Images[0].ClusterSize | Should -BeOfType int
            $there.Extents[0].Length | Should -BeOfType long
            $there.Snapshots[0].CreationTime | Should -BeOfType datetime
            $there.Snapshots[0].VmClock | Should -BeOfType timespan
            $there.Images[0].BlockSize | Should -Be $live.Images[0].ClusterSize
            ($there.Images | Sort-Object Size -Descending).Size | Should -Be ($live.Images | Sort-Object Size -Descending).Size
            @($there.Snapshots | Where-Object DiskSize -GT 300000).Id | Should -Be 3
        }

        It 'keep names that can be compared' {
            @($there.Extents | Where-Object Kind -EQ Data).Count | Should -Be @($live.Extents | Where-Object Kind -EQ Data).Count
            @($there.Extents | Where-Object Kind -EQ Data).Count | Should -BeGreaterThan 0
            @($there.Images | Where-Object EncryptionMethod -EQ Luks).Count | Should -Be 1
            @($there.Check.Findings | Where-Object Severity -EQ Leak).Count | Should -BeGreaterThan 0
            "$($there.Images[4].Header.IncompatibleFeatures)" | Should -Be ExtendedL2
        }

        It 'are shown as live ones are' {
            foreach ($show in @(
                    { $_.Images }, { $_.Images | Format-List }, { $_.Images.Header }, { $_.Images.Header.Extensions }, { $_.Images[4].Header.Extensions.Features },
                    { $_.Images[2].Luks }, { $_.Images[2].Luks.Slots }, { $_.Images[1].Bitmaps }, { $_.Images[1].Bitmaps | Format-List },
                    { $_.Snapshots }, { $_.Snapshots | Format-List }, { $_.Extents }, { $_.Extents | Format-List }, { $_.Check }, { $_.Check | Format-List },
                    { $_.Check.Findings }, { $_.Comparison }, { $_.Comparison | Format-List }, { $_.Comparison.Ranges }, { $_.Measure }, { $_.Measure | Format-List }
                )) {
                $expected = ($live | ForEach-Object $show | Out-String -Width 200).Trim()
                ($there | ForEach-Object $show | Out-String -Width 200).Trim() | Should -Be $expected
                $expected | Should -Not -BeNullOrEmpty
            }
        }

        It 'go into any cmdlet' {
            ($there.Images | Get-Qcow2Image).Path | Should -Be $live.Images.Path
            ($there.Images[0] | Get-Qcow2Snapshot).Id | Should -Be 1, 2, 3, 4
            ($there.Images[0].Snapshots | Get-Qcow2Snapshot).Id | Should -Be 1, 2, 3, 4
            ($there.Check | Test-Qcow2Image).Leaks | Should -Be $live.Check.Leaks
        }
    }

    It 'read well as JSON' {
        $json = $live.Images | ConvertTo-Json -Depth 6
        $json | Should -Not -Match 'IsEmpty|"Span"|"Capacity"'
        $read = $json | ConvertFrom-Json
        $read[0].Snapshots[0].Name | Should -Be first
        $read[0].Snapshots[0].DiskSize | Should -Be 262144
        $read[3].Header.Extensions[0].Data | Should -Be $live.Images[3].Header.Extensions[0].Data
        $read[2].Luks.Slots[0].IsActive | Should -BeTrue
        ($live.Check | ConvertTo-Json -Depth 3 | ConvertFrom-Json).Findings[0].Message | Should -Be $live.Check.Findings[0].Message
    }

    It 'read well as CSV' {
        $live.Snapshots | Export-Csv rows.csv
        $rows = Import-Csv rows.csv
        $rows.Name | Should -Be $live.Snapshots.Name
        $rows.DiskSize | Should -Be $live.Snapshots.DiskSize
        ($rows | Get-Qcow2Snapshot).Id | Should -Be 1, 2, 3, 4
    }

    It 'have a text of their own that is no list of members' {
        "$($live.Images[4].Header)" | Should -Not -Match '\{'
        "$($live.Images[4].Header.Extensions[0])" | Should -Not -Match '^Qcow2'
        "$($live.Images[4].Header.Extensions[0].Features[0])" | Should -Not -Match '\{'
        "$($live.Comparison.Ranges[0])" | Should -Match '^0x[0-9a-f]+\+\d+$'
    }

    It 'have a depth of their own, whatever their type' {
        $types = [Qcow2.Engine.Qcow2ImageInfo].Assembly.GetExportedTypes() | Where-Object {
            -not $_.IsAbstract -and ($_.IsSubclassOf([Qcow2.Engine.Qcow2ImageObject]) -or $_.IsSubclassOf([Qcow2.Engine.Format.HeaderExtension]))
        }
        $types.Count | Should -BeGreaterThan 10
        foreach ($type in $types) {
            $data = Get-TypeData $type.FullName
            $data.SerializationDepth | Should -BeGreaterThan 0 -Because $type.FullName
        }
    }

    It 'are not a loop when nothing had to be repaired' {
        $result = Repair-Qcow2Image snapshots.qcow2 -Mode Leaks
        $result.Before.Before | Should -BeNullOrEmpty
        $result.Before.IsHealthy | Should -BeTrue
    }
}
