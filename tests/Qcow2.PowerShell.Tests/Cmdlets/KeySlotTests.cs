using System.Diagnostics;
using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.PowerShell.Tests.Infrastructure;
using Qcow2.Tests;
using PowerShellPipeline = System.Management.Automation.PowerShell;

namespace Qcow2.PowerShell.Tests.Cmdlets;

/// <summary>Get-, Add-, Set- and Remove-Qcow2KeySlot, and what New- and Convert-Qcow2Image can say of encryption.</summary>
public sealed class KeySlotTests : IDisposable
{
    private readonly ModuleSession _session = new();

    public KeySlotTests()
    {
        _session.With("luks", "v3", "aes");
        Ok($$"""
            function global:Secret([string] $Text) { $secure = [securestring]::new(); $Text.ToCharArray().ForEach({ $secure.AppendChar($_) }); $secure }
            $global:old = Secret '{{Fixtures.Get("luks").Passphrase}}'
            $global:new = Secret new
            $global:quick = @{ IterationTimeMilliseconds = 0 }
            """);
    }

    public void Dispose() => _session.Dispose();

    [Fact]
    public void Passphrases_come_change_and_go()
    {
        Assert.Equal([0], Slots("Get-Qcow2KeySlot luks.qcow2"));
        Assert.Equal(Enumerable.Range(0, 8), Slots("Get-Qcow2KeySlot luks.qcow2 -All"));
        Assert.Empty(Ok("Add-Qcow2KeySlot luks.qcow2 $old $new @quick").Output);
        Assert.Equal([5], Slots("Get-Qcow2Image luks.qcow2 | Add-Qcow2KeySlot -Passphrase $new -NewPassphrase (Secret five) -KeySlot 5 -PassThru @quick"));
        Assert.Equal([0, 1, 5], Slots("Get-Qcow2KeySlot luks.qcow2"));
        Assert.Equal([1], Slots("Get-Qcow2KeySlot luks.qcow2 -Passphrase $new"));

        Qcow2KeySlot changed = Assert.Single(Ok("Set-Qcow2KeySlot luks.qcow2 $new (Secret newer) -PassThru @quick").Of<Qcow2KeySlot>());
        Assert.Equal((1, true, "aes-256", "xts", "sha256"), (changed.KeySlot, changed.IsActive, changed.CipherAlgorithm, changed.CipherMode, changed.HashAlgorithm));
        Assert.Equal(["PassphraseIncorrect"], _session.Run("Get-Qcow2KeySlot luks.qcow2 -Passphrase $new").ErrorIds);

        Assert.Equal([1], Slots("Remove-Qcow2KeySlot luks.qcow2 -OldPassphrase (Secret newer) -Passphrase $old -PassThru -Confirm:$false"));
        Ok("Get-Qcow2KeySlot luks.qcow2 5 | Remove-Qcow2KeySlot -Confirm:$false");
        Assert.Equal([0], Slots("Get-Qcow2KeySlot luks.qcow2"));
        Ok("Convert-Qcow2Image luks.qcow2 plain.raw -Passphrase $old");
        Ok("Remove-Qcow2KeySlot luks.qcow2 0 -Force -Confirm:$false");
        Assert.Empty(Slots("Get-Qcow2KeySlot luks.qcow2"));
        Assert.Equal(["PassphraseIncorrect"], _session.Run("Convert-Qcow2Image luks.qcow2 other.raw -Passphrase $old").ErrorIds);
    }

    [Theory]
    [InlineData("Add-Qcow2KeySlot luks.qcow2 $old $new -KeySlot 0 @quick", "KeySlotInUse", ErrorCategory.ResourceExists, "-Force")]
    [InlineData("Add-Qcow2KeySlot luks.qcow2 $new $old @quick", "PassphraseIncorrect", ErrorCategory.AuthenticationError, "")]
    [InlineData("Add-Qcow2KeySlot luks.qcow2 $old (Secret '') @quick", "PassphraseInvalid", ErrorCategory.InvalidArgument, "empty")]
    [InlineData("Add-Qcow2KeySlot v3.qcow2 $old $new @quick", "OperationNotSupported", ErrorCategory.NotImplemented, "not encrypted with LUKS")]
    [InlineData("Set-Qcow2KeySlot aes.qcow2 $old $new @quick", "OperationNotSupported", ErrorCategory.NotImplemented, "legacy AES")]
    [InlineData("Get-Qcow2KeySlot v3.qcow2", "OperationNotSupported", ErrorCategory.NotImplemented, "not encrypted with LUKS")]
    [InlineData("Set-Qcow2KeySlot luks.qcow2 $old $new -KeySlot 4 @quick", "KeySlotNotInUse", ErrorCategory.ObjectNotFound, "")]
    [InlineData("Remove-Qcow2KeySlot luks.qcow2 -Confirm:$false", "KeySlotNotSpecified", ErrorCategory.InvalidArgument, "-OldPassphrase")]
    [InlineData("Remove-Qcow2KeySlot luks.qcow2 0 -Confirm:$false", "LastKeySlot", ErrorCategory.InvalidOperation, "-Force")]
    [InlineData("Remove-Qcow2KeySlot luks.qcow2 3 -Confirm:$false", "KeySlotNotInUse", ErrorCategory.ObjectNotFound, "")]
    [InlineData("Remove-Qcow2KeySlot luks.qcow2 -OldPassphrase $new -Confirm:$false", "PassphraseIncorrect", ErrorCategory.AuthenticationError, "")]
    [InlineData("Remove-Qcow2KeySlot luks.qcow2 0 -OldPassphrase $old -Confirm:$false", "OptionsContradict", ErrorCategory.InvalidArgument, "-KeySlot")]
    [InlineData("Get-Qcow2KeySlot luks.qcow2 0 | ForEach-Object { $_.Salt = '00'; $_ } | Remove-Qcow2KeySlot -Force -Confirm:$false", "KeySlotChanged", ErrorCategory.ObjectNotFound, "")]
    public void Refusals_have_their_ids_and_change_nothing(string script, string id, ErrorCategory category, string said)
    {
        byte[] before = File.ReadAllBytes(_session.File("luks.qcow2"));
        SessionResult result = _session.Run(script);
        Assert.Equal([id], result.ErrorIds);
        Assert.Equal(category, result.Errors[0].CategoryInfo.Category);
        Assert.Contains(said, result.Errors[0].Exception.Message, StringComparison.Ordinal);
        Assert.True(before.AsSpan().SequenceEqual(File.ReadAllBytes(_session.File("luks.qcow2"))));
    }

    [Fact]
    public void WhatIf_changes_nothing_and_says_what_would_be_done()
    {
        byte[] before = File.ReadAllBytes(_session.File("luks.qcow2"));
        Assert.Contains("Add a passphrase in key slot 3", _session.Show("Add-Qcow2KeySlot luks.qcow2 $old $new -KeySlot 3 -WhatIf"), StringComparison.Ordinal);
        Assert.Contains("Change the passphrase", _session.Show("Set-Qcow2KeySlot luks.qcow2 $old $new -WhatIf"), StringComparison.Ordinal);
        Assert.Contains("its data is gone for good", _session.Show("Remove-Qcow2KeySlot luks.qcow2 0 -Force -WhatIf"), StringComparison.Ordinal);
        Assert.True(before.AsSpan().SequenceEqual(File.ReadAllBytes(_session.File("luks.qcow2"))));
    }

    [Fact]
    public void Slot_that_went_through_a_file_or_json_is_that_slot()
    {
        Ok("Add-Qcow2KeySlot luks.qcow2 $old $new -KeySlot 2 @quick; Add-Qcow2KeySlot luks.qcow2 $old $new -KeySlot 4 @quick; Add-Qcow2KeySlot luks.qcow2 $old $new -KeySlot 6 @quick");
        Ok("Get-Qcow2KeySlot luks.qcow2 2 | Export-Clixml slot.xml; Import-Clixml slot.xml | Remove-Qcow2KeySlot -Confirm:$false");
        Ok("Get-Qcow2KeySlot luks.qcow2 4 | ConvertTo-Json | ConvertFrom-Json | Remove-Qcow2KeySlot -Confirm:$false");
        Ok("Get-Qcow2KeySlot luks.qcow2 6 | Export-Csv slot.csv; Import-Csv slot.csv | Remove-Qcow2KeySlot -Confirm:$false");
        Assert.Equal([0], Slots("Get-Qcow2KeySlot luks.qcow2"));
    }

    [Fact]
    public void Images_are_made_with_the_cipher_that_is_asked_for()
    {
        LuksInfo luks = Assert.Single(Ok("New-Qcow2Image a.qcow2 4MB -Encryption Luks -Passphrase $new -CipherAlgorithm AES-128 -CipherMode cbc -IvGeneratorAlgorithm essiv -HashAlgorithm sha512 -IterTime 0").Of<Qcow2ImageInfo>()).Luks!;
        Assert.Equal(("aes-128", "cbc", "essiv", "sha256", "sha512"), (luks.CipherAlgorithm, luks.CipherMode, luks.IvGeneratorAlgorithm, luks.IvGeneratorHash, luks.HashAlgorithm));
        Assert.Equal(10_000, luks.Slots[0].Iterations);
        luks = Assert.Single(Ok("Convert-Qcow2Image a.qcow2 b.qcow2 -Passphrase $new -Encryption Luks -DestinationPassphrase $old -CipherMode ctr -PassThru @quick").Of<Qcow2ImageInfo>()).Luks!;
        Assert.Equal(("aes-256", "ctr", "plain64"), (luks.CipherAlgorithm, luks.CipherMode, luks.IvGeneratorAlgorithm));
        Ok("Convert-Qcow2Image a.qcow2 a.raw -Passphrase $new; Convert-Qcow2Image b.qcow2 b.raw -Passphrase $old");
        Assert.Equal(File.ReadAllBytes(_session.File("a.raw")), File.ReadAllBytes(_session.File("b.raw")));
        Assert.True((bool)Assert.Single(Ok("(Measure-Qcow2Image -Size 1GB -Encryption Luks -CipherAlgorithm aes-128).RequiredBytes -lt (Measure-Qcow2Image -Size 1GB -Encryption Luks).RequiredBytes").Output).BaseObject);
    }

    [Theory]
    [InlineData("New-Qcow2Image x.qcow2 4MB -Encryption Luks -Passphrase $new -CipherAlgorithm aes-192 -CipherMode cbc")]
    [InlineData("New-Qcow2Image x.qcow2 4MB -Encryption Luks -Passphrase $new -IvGeneratorHash sha256")]
    [InlineData("New-Qcow2Image x.qcow2 4MB -CipherMode cbc")]
    [InlineData("New-Qcow2Image x.vhdx 4MB -CipherMode cbc")]
    [InlineData("Measure-Qcow2Image -Size 4MB -CipherAlgorithm aes-128")]
    public void Options_of_encryption_that_do_not_go_together_are_refused(string script)
    {
        Assert.Single(_session.Run(script).ErrorIds);
        Assert.False(File.Exists(_session.File("x.qcow2")));
    }

    [Theory]
    [InlineData("Add-Qcow2KeySlot luks.qcow2 $old $new -IterationTimeMilliseconds 3600000")]
    [InlineData("Set-Qcow2KeySlot luks.qcow2 $old $new -IterationTimeMilliseconds 3600000")]
    public void Stops_while_a_key_is_derived_and_nothing_has_changed(string script)
    {
        byte[] before = File.ReadAllBytes(_session.File("luks.qcow2"));
        using PowerShellPipeline shell = _session.Start(script);
        IAsyncResult running = shell.BeginInvoke();
        Thread.Sleep(1500);
        Assert.False(running.IsCompleted);
        shell.StopAtOnce();
        Assert.True(running.IsCompleted);
        Assert.True(before.AsSpan().SequenceEqual(File.ReadAllBytes(_session.File("luks.qcow2"))));
    }

    private SessionResult Ok(string script)
    {
        SessionResult result = _session.Run(script);
        Assert.True(result.Errors.Count == 0, $"{script}: {string.Join("; ", result.Errors)}");
        return result;
    }

    private int[] Slots(string script) => [.. Ok(script).Of<Qcow2KeySlot>().Select(slot => slot.KeySlot)];
}
