BeforeAll {
    . $PSScriptRoot/Shared.ps1
    Import-Module (Get-TestedModulePath) -Force
    Copy-Fixture chain-top.qcow2, chain-middle.qcow2, chain-base.qcow2, snapshots.qcow2, extl2.qcow2, luks.qcow2, bitmaps.qcow2,
        extension-unknown.qcow2, bit-corrupt.qcow2, zstd.qcow2 $TestDrive
    Push-Location $TestDrive
    $names = @(
        "evil`e]0;title`a.qcow2"
        "evil`u{202e}2wocq"
    )

    function Show {
        param([Parameter(ValueFromPipeline)] $InputObject, [int] $Width = 80)

        begin { $all = @() }
        process { $all += $InputObject }
        end { ($all | Out-String -Width $Width) -replace "`e\[[\d;]*m" }
    }
}

AfterAll {
    Pop-Location
}

Describe 'Views' {
    It 'fit in <_> columns' -ForEach 80, 120 {
        $width = $_
        $text = @(
            Get-Qcow2Image *.qcow2 | Show -Width $width
            Get-Qcow2Snapshot snapshots.qcow2 | Show -Width $width
            Get-Qcow2Extent extl2.qcow2 | Show -Width $width
            (Get-Qcow2Image bitmaps.qcow2).Bitmaps | Show -Width $width
            (Get-Qcow2Image luks.qcow2).Luks.Slots | Show -Width $width
        )
        $lines = $text -split '\r?\n' | Where-Object { $_ -notmatch '^\s*(Directory|Image): ' }
        ($lines | Measure-Object Length -Maximum).Maximum | Should -BeLessOrEqual $width
    }

    It 'show sizes in binary units, and numbers stay numbers' {
        Get-Qcow2Image zstd.qcow2 | Show | Should -Match '(?m)^\s+1 MiB\s+\d+ KiB\s+0 zstd.qcow2\s+zstd\s*$'
        (Get-Qcow2Image zstd.qcow2).Size | Should -BeOfType [long]
    }

    It 'spell flags out' {
        Get-Qcow2Image bit-corrupt.qcow2 | Show | Should -Match '\bcorrupt\b'
        Get-Qcow2Image luks.qcow2 | Show | Should -Match 'encrypted \(LUKS\)'
        Get-Qcow2Image extl2.qcow2 | Show | Should -Match 'extended L2'
    }

    It 'indent a chain' {
        Get-Qcow2Image chain-top.qcow2 -BackingChain | Show | Should -Match '(?s) chain-top\.qcow2.* └ chain-middle\.qcow2.*   └ chain-base\.qcow2'
    }

    It 'show a list' {
        $text = Get-Qcow2Image luks.qcow2 | Format-List | Out-String
        $text | Should -Match 'Size\s+: 256 KiB \(262.144 bytes\)'
        $text | Should -Match 'Luks\s+: aes-256, xts, plain64; 1 of 8 key slots used'
        Get-Qcow2Snapshot snapshots.qcow2 -Id 1 | Format-List | Out-String | Should -Match 'DiskSize\s+: 256 KiB'
        Get-Qcow2Extent extl2.qcow2 | Select-Object -First 1 | Format-List | Out-String | Should -Match 'HostOffset\s+: 0x50000 \(327680\)'
        (Get-Qcow2Image luks.qcow2).Luks | Out-String | Should -Match 'CipherAlgorithm\s+: aes-256'
        (Get-Qcow2Image extension-unknown.qcow2).Header | Out-String | Should -Match 'RefcountOrder\s+: 4 \(16 bits\)'
        (Get-Qcow2Image extension-unknown.qcow2).Header.Extensions | Out-String | Should -Match 'unknown 0x12345678\s+25 '
    }

    It 'let no control character of a name through' {
        foreach ($name in $names) {
            $objects = @(
                [Qcow2.Engine.Qcow2ImageInfo] @{ Path = "/x/$name"; BackingFile = $name; DataFile = $name; ParentPath = $name; BackingFormat = $name }
                [Qcow2.Engine.Qcow2Snapshot] @{ Path = "/x/$name"; Name = $name; Id = $name }
                [Qcow2.Engine.Qcow2Extent] @{ Path = "/x/$name"; FilePath = "/x/$name" }
                [Qcow2.Engine.Qcow2Bitmap] @{ Path = "/x/$name"; Name = $name }
                [Qcow2.Engine.Qcow2KeySlot] @{ Path = "/x/$name"; CipherMode = $name }
            )
            foreach ($object in $objects) {
                $text = (Show -InputObject $object) + (($object | Format-List | Out-String) -replace "`e\[[\d;]*m")
                $text | Should -Not -Match "[`e`a`u{202e}]"
            }
        }
    }
}
