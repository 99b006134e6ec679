BeforeAll {
    . $PSScriptRoot/Shared.ps1
    Import-Module (Get-TestedModulePath) -Force
    Push-Location $TestDrive
    New-Qcow2Image base.qcow2 64MB > $null
    Write-Qcow2Image base.qcow2 -Offset 0 -Value ([byte[]] (,1 * 8MB))
    New-Qcow2Image top.qcow2 64MB -BackingFile base.qcow2 -BackingFormat qcow2 > $null
    Write-Qcow2Image top.qcow2 -Offset 32MB -Value ([byte[]] (,2 * 4MB))
}

AfterAll {
    Pop-Location
}

Describe 'Show-Qcow2Image' {
    It 'draws the disk from its first byte to its last' {
        $picture = Show-Qcow2Image top.qcow2 -Width 75 -Height 1 -Ascii
        $picture | Should -BeOfType Qcow2.Engine.Qcow2ImagePicture
        $picture.Rows.Signs | Should -Be ('11111111' + '.' * 24 + '####' + '.' * 28)
        $picture.Legend.Bytes | Should -Be 4MB, 8MB, 52MB
    }

    It 'says in the legend what Get-Qcow2Extent says' {
        $picture = Show-Qcow2Image top.qcow2
        foreach ($kind in 'Data', 'Unallocated') {
            ($picture.Legend | Where-Object Kind -eq $kind | Measure-Object Bytes -Sum).Sum |
                Should -Be (Get-Qcow2Extent top.qcow2 | Where-Object Kind -eq $kind | Measure-Object Length -Sum).Sum
        }
    }

    It 'has a row for each file of the chain' {
        $picture = Show-Qcow2Image top.qcow2 -BackingChain -Ascii
        Split-Path -Leaf $picture.Rows.FilePath | Should -Be top.qcow2, base.qcow2
    }

    It 'goes to a file and through another PowerShell without colours' {
        $rendering = $PSStyle.OutputRendering
        try {
            $PSStyle.OutputRendering = 'Host' # As it is in a session at first; what runs the tests may want colours in its log.
            Show-Qcow2Image top.qcow2 -Ascii -Height 1 | Out-File picture.txt
        }
        finally {
            $PSStyle.OutputRendering = $rendering
        }

        Get-Content picture.txt -Raw | Should -Match '\|1+\.+'
        Get-Content picture.txt -Raw | Should -Not -Match ([char] 27)
        $shown = Invoke-PowerShell -NoProfile -Command "Import-Module '$(Get-TestedModulePath)'; `$PSStyle.OutputRendering = 'PlainText'; Show-Qcow2Image '$PWD/top.qcow2' -Width 60 -Height 1 -Ascii"
        "$shown" | Should -Match '\|1+\.+'
        "$shown" | Should -Not -Match ([char] 27)
        $shown | ForEach-Object { $_.Length | Should -BeLessThan 60 }
    }

    It 'takes a folder from the pipeline' {
        (Get-ChildItem *.qcow2 | Show-Qcow2Image).Path | Should -Be (Get-ChildItem *.qcow2).FullName
    }

    It 'can be mocked by a runbook of its own' {
        Mock Show-Qcow2Image { [Qcow2.Engine.Qcow2ImagePicture] @{ Path = 'x'; Size = 1GB } }
        Show-Qcow2Image any.qcow2 | Out-String | Should -BeLike '*x: 1 GiB*'
    }
}
