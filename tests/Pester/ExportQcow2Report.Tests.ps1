BeforeAll {
    . $PSScriptRoot/Shared.ps1
    Import-Module (Get-TestedModulePath) -Force
    Push-Location $TestDrive
    New-Qcow2Image base.qcow2 64MB > $null
    New-Qcow2Image top.qcow2 -BackingFile base.qcow2 -BackingFormat qcow2 > $null
    Checkpoint-Qcow2Image top.qcow2 'before <b>patch</b>'
}

AfterAll {
    Pop-Location
}

Describe 'Export-Qcow2Report' {
    It 'makes a report of a folder' {
        $report = Get-ChildItem *.qcow2 | Export-Qcow2Report -DestinationPath report.html -Check -PassThru
        $report | Should -BeOfType IO.FileInfo
        $text = Get-Content -Raw report.html
        ([regex]::Matches($text, '<article ')).Count | Should -Be 2
        $text | Should -BeLike '*<bdi>before &lt;b&gt;patch&lt;/b&gt;</bdi>*'
        $text | Should -Not -BeLike '*<b>patch*'
    }

    It 'has a policy with the sums of its style and its script' {
        $text = Get-Content -Raw report.html
        foreach ($part in 'style', 'script') {
            $null = $text -match "(?s)<$part>(.*?)</$part>"
            $sum = [Convert]::ToBase64String([Security.Cryptography.SHA256]::HashData([Text.Encoding]::UTF8.GetBytes($Matches[1])))
            $text | Should -BeLike "*content=`"default-src 'none'; *$part-src 'sha256-$sum'*"
        }
    }

    It 'takes what another PowerShell said of images' {
        $images = Invoke-PowerShell -NoProfile -Command "Import-Module '$(Get-TestedModulePath)'; Get-Qcow2Image $TestDrive/top.qcow2 | Export-Clixml $TestDrive/images.xml; 'done'"
        $images | Should -Be done
        $far = Import-Clixml images.xml
        $far | Add-Member PSComputerName kvm99 -Force
        $far | Export-Qcow2Report -DestinationPath far.html
        Get-Content -Raw far.html | Should -BeLike '*kvm99*'
    }

    It 'is not written with -WhatIf, nor over a file without -Force' {
        Export-Qcow2Report *.qcow2 new.html -WhatIf
        'new.html' | Should -Not -Exist
        { Export-Qcow2Report *.qcow2 report.html -ErrorAction Stop } | Should -Throw -ErrorId 'DestinationExists,*'
        { Export-Qcow2Report top.qcow2 base.qcow2 -Force -ErrorAction Stop } | Should -Throw -ErrorId 'DestinationIsImage,*'
    }

    It 'goes on after a bad image, which is an error and in the report' {
        Set-Content bad.qcow2 'no image'
        Export-Qcow2Report *.qcow2 report.html -Force -ErrorAction SilentlyContinue -ErrorVariable problems
        $problems.FullyQualifiedErrorId | Should -Be 'NotQcow2,Qcow2.PowerShell.Commands.ExportQcow2ReportCommand'
        Get-Content -Raw report.html | Should -BeLike '*bad.qcow2*cannot be read*'
        Remove-Item bad.qcow2
    }
}
