using Qcow2.Engine;
using Qcow2.PowerShell.Tests.Infrastructure;
using Qcow2.Tests;

namespace Qcow2.PowerShell.Tests.Cmdlets;

/// <summary>
/// Chains of encrypted images, each with a passphrase of its own, made and judged by qemu-img: top.qcow2 (LUKS, "t") on mid.qcow2 (legacy AES, "m") on base.qcow2 (LUKS, "b"), and
/// other.qcow2 (LUKS, "o"), which could be a base, too.
/// </summary>
public sealed class EncryptedChainTests(EncryptedChainTests.Chain chain) : IClassFixture<EncryptedChainTests.Chain>, IDisposable
{
    private const int MiB = 1 << 20;
    private const string All = "-Passphrase $t -BackingPassphrase @{ 'base.qcow2' = $b; \"$folder/mid.qcow2\" = $m; 'other.qcow2' = $o }";

    private readonly ModuleSession _session = new();
    private readonly byte[] _disk = [.. chain.Disk];

    public void Dispose() => _session.Dispose();

    [QemuTheory]
    [InlineData("Convert-Qcow2Image top.qcow2 out.raw {0}")]
    [InlineData("Read-Qcow2Image top.qcow2 -OutputFile out.raw {0}")]
    [InlineData("Checkpoint-Qcow2Image top.qcow2 -SnapshotName now; Export-Qcow2Snapshot top.qcow2 -SnapshotName now -DestinationPath out.raw {0}")]
    public void Each_file_is_read_with_its_own(string script)
    {
        MakeChain();
        Ok(script);
        Assert.Equal(_disk, File.ReadAllBytes(_session.File("out.raw")));
    }

    [QemuFact]
    public void A_disk_is_compared_through_its_chain()
    {
        MakeChain();
        _session.Folder.Write("disk.raw", _disk);
        Assert.Equal([true], Ok("Compare-Qcow2Image top.qcow2 disk.raw -Quiet {0}").Of<bool>());
        Assert.Equal([true], Ok("Compare-Qcow2Image disk.raw top.qcow2 -Quiet -DifferencePassphrase $t -BackingPassphrase @{ 'base.qcow2' = $b; 'mid.qcow2' = $m }").Of<bool>());
    }

    [QemuFact]
    public void One_for_all_below()
    {
        MakeChain();
        Ok("New-Qcow2Image one.qcow2 -BackingFile base.qcow2 -BackingFormat qcow2; New-Qcow2Image two.qcow2 -BackingFile one.qcow2 -BackingFormat qcow2");
        foreach (string word in new[] { "-BackingPassphrase $b", "-Passphrase $o -BackingPassphrase $b", "-Passphrase $b" })
        {
            Assert.Equal([1, 1], Assert.Single(Ok($"Read-Qcow2Image two.qcow2 -Count 2 {word}").Of<byte[]>()));
        }
    }

    [QemuFact]
    public void A_copy_leaves_out_what_an_encrypted_backing_file_has()
    {
        MakeChain();
        Ok("Convert-Qcow2Image top.qcow2 plain.qcow2 -BackingFile base.qcow2 -BackingFormat qcow2 {0}");
        Assert.Equal(_disk, ReadByQemu(("plain.qcow2", ""), ("base.qcow2", "b")));
        Assert.InRange(new FileInfo(_session.File("plain.qcow2")).Length, 1, 3 * MiB);
        Ok("Convert-Qcow2Image top.qcow2 luks.qcow2 -BackingFile base.qcow2 -BackingFormat qcow2 -Encryption Luks -DestinationPassphrase $n {0}");
        Assert.Equal(_disk, ReadByQemu(("luks.qcow2", "n"), ("base.qcow2", "b")));
    }

    [QemuFact]
    public void A_merge_writes_what_the_file_below_has_its_own_key_for()
    {
        MakeChain();
        Ok("Merge-Qcow2Image top.qcow2 -DestinationPath base.qcow2 -Confirm:$false {0}");
        Assert.Equal(_disk, ReadByQemu(("base.qcow2", "b")));
        Assert.True(Assert.Single(Ok("Test-Qcow2Image base.qcow2 -Quiet").Of<bool>()));
    }

    [QemuFact]
    public void A_rebase_reads_both_chains()
    {
        MakeChain();
        Ok("Set-Qcow2Image top.qcow2 -BackingFile other.qcow2 -BackingFormat qcow2 -Confirm:$false {0}");
        Assert.Equal(_disk, ReadByQemu(("top.qcow2", "t"), ("other.qcow2", "o")));
        Ok("Set-Qcow2Image top.qcow2 -BackingFile '' -Confirm:$false {0}");
        Assert.Equal(_disk, ReadByQemu(("top.qcow2", "t")));
    }

    [QemuFact]
    public void An_overlay_is_compacted_and_written()
    {
        MakeChain();
        Ok("Optimize-Qcow2Image top.qcow2 {0}");
        Assert.Equal(_disk, ReadByQemu(("top.qcow2", "t"), ("mid.qcow2", "m"), ("base.qcow2", "b")));
        Ok("Write-Qcow2Image top.qcow2 -Offset 100 -Value 9, 8 {0}");
        (_disk[100], _disk[101]) = (9, 8);
        Assert.Equal(_disk, ReadByQemu(("top.qcow2", "t"), ("mid.qcow2", "m"), ("base.qcow2", "b")));
        Ok("Write-Qcow2Image top.qcow2 -Offset 3145000 -Zero -Count 4000 {0}");
        _disk.AsSpan(3_145_000, 4000).Clear();
        Assert.Equal(_disk, ReadByQemu(("top.qcow2", "t"), ("mid.qcow2", "m"), ("base.qcow2", "b")));
    }

    [QemuFact]
    public void An_overlay_of_an_encrypted_image_is_made_without_its_passphrase_and_filled_with_it()
    {
        MakeChain();
        Assert.Equal(_disk.Length, Assert.Single(Ok("New-Qcow2Image over.qcow2 -BackingFile top.qcow2 -BackingFormat qcow2").Of<Qcow2ImageInfo>()).Size);
        Assert.Equal(_disk, ReadByQemu(("over.qcow2", ""), ("top.qcow2", "t"), ("mid.qcow2", "m"), ("base.qcow2", "b")));
        byte[] other = new byte[_disk.Length];
        new Random(4).NextBytes(other.AsSpan(12_345, 100_000));
        _session.Folder.Write("new.raw", other);
        Ok("Convert-Qcow2Image new.raw over.qcow2 -NoCreate -BackingPassphrase @{ 'top.qcow2' = $t; 'mid.qcow2' = $m; 'base.qcow2' = $b }");
        Assert.Equal(other, ReadByQemu(("over.qcow2", ""), ("top.qcow2", "t"), ("mid.qcow2", "m"), ("base.qcow2", "b")));
    }

    [QemuTheory]
    [InlineData("", "PassphraseRequired", "top.qcow2", "-Passphrase.")]
    [InlineData("-Passphrase $o", "PassphraseIncorrect", "top.qcow2", "-Passphrase.")]
    [InlineData("-Passphrase $t", "PassphraseIncorrect", "base.qcow2", "-BackingPassphrase")]
    [InlineData("-Passphrase $t -BackingPassphrase $o", "PassphraseIncorrect", "base.qcow2", "-BackingPassphrase")]
    [InlineData("-Passphrase $t -BackingPassphrase @{ 'mid.qcow2' = $m }", "PassphraseRequired", "base.qcow2", "-BackingPassphrase")]
    [InlineData("-Passphrase $t -BackingPassphrase @{ 'base.qcow2' = $b }", "PassphraseRequired", "mid.qcow2", "-BackingPassphrase")]
    [InlineData("-BackingPassphrase $b", "PassphraseRequired", "top.qcow2", "-Passphrase.")]
    public void What_is_missing_or_wrong_is_said_with_the_file_and_the_parameter(string arguments, string id, string file, string parameter)
    {
        MakeChain();
        foreach (string command in new[] { "Convert-Qcow2Image top.qcow2 out.raw", "Read-Qcow2Image top.qcow2 -Count 1 -Offset 3900000" })
        {
            SessionResult result = _session.Run($"{command} {arguments}");
            if (command.StartsWith("Read", StringComparison.Ordinal) && id == "PassphraseRequired" && file != "base.qcow2")
            {
                continue; // What is not read needs none.
            }

            Assert.Equal([id], result.ErrorIds);
            string message = result.Errors[0].Exception.Message;
            Assert.Contains(_session.File(file) + ":", message, StringComparison.Ordinal);
            Assert.Contains(parameter, message, StringComparison.Ordinal);
        }

        Assert.False(File.Exists(_session.File("out.raw")));
    }

    [QemuFact]
    public void The_destination_and_the_disk_to_compare_with_have_their_own_words()
    {
        MakeChain();
        string MessageOf(string script) => Assert.Single(_session.Run(script).Errors).Exception.Message;
        Assert.Contains("-DifferencePassphrase", MessageOf("Compare-Qcow2Image base.qcow2 other.qcow2 -Passphrase $b"), StringComparison.Ordinal);
        Assert.Contains("-DestinationPassphrase", MessageOf("Convert-Qcow2Image base.qcow2 other.qcow2 -NoCreate -Passphrase $b -DestinationPassphrase $n"), StringComparison.Ordinal);
        Assert.Contains("-BackingPassphrase", MessageOf("Merge-Qcow2Image top.qcow2 -Confirm:$false -Passphrase $t -BackingPassphrase @{ 'base.qcow2' = $b }"), StringComparison.Ordinal);
        Assert.Contains("-BackingPassphrase", MessageOf("Set-Qcow2Image base.qcow2 -BackingFile other.qcow2 -BackingFormat qcow2 -Passphrase $b"), StringComparison.Ordinal);
        Assert.Contains("-BackingPassphrase", MessageOf("Convert-Qcow2Image base.qcow2 out.qcow2 -BackingFile other.qcow2 -BackingFormat qcow2 -Passphrase $b"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("'text'")]
    [InlineData("@{ 'base.qcow2' = 'text' }")]
    [InlineData("@{ 1 = $b }")]
    [InlineData("$null")]
    public void What_is_no_passphrase_is_refused(string value)
        => Assert.Single(_session.Run($"try {{ Read-Qcow2Image x.qcow2 -BackingPassphrase {value} -ErrorAction Stop }} catch [System.Management.Automation.ParameterBindingException] {{ 'refused' }}").Output);

    private SessionResult Ok(string script)
    {
        SessionResult result = _session.Run(script.Replace("{0}", All, StringComparison.Ordinal));
        Assert.True(result.Errors.Count == 0, $"{script}\n{string.Join("\n", result.Errors)}");
        return result;
    }

    private void MakeChain()
    {
        chain.CopyTo(_session.Folder);
        foreach (char name in "tmbon")
        {
            Ok($"${name} = ConvertTo-SecureString {name} -AsPlainText -Force");
        }
    }

    private byte[] ReadByQemu(params (string Name, string Passphrase)[] layers)
    {
        QemuImg.Run(["convert", .. Layers(_session.Folder, layers), "-O", "raw", _session.File("judge.raw")]);
        return File.ReadAllBytes(_session.File("judge.raw"));
    }

    /// <summary>A chain for QEMU, from the top down.</summary>
    private static string[] Layers(TempFolder folder, params (string Name, string Passphrase)[] layers)
    {
        List<string> objects = [];
        List<string> options = [];
        string prefix = "";
        foreach ((string name, string passphrase) in layers)
        {
            options.AddRange([$"{prefix}driver=qcow2", $"{prefix}file.filename={folder.File(name)}"]);
            if (passphrase.Length > 0)
            {
                objects.AddRange(["--object", Secret($"s{objects.Count}", passphrase)]);
                options.Add($"{prefix}encrypt.key-secret=s{objects.Count - 2}");
            }

            prefix += "backing.";
        }

        return [.. objects, "--image-opts", string.Join(",", options)];
    }

    private static string Secret(string id, string passphrase) => $"secret,id={id},data={passphrase}";

    /// <summary>The images, made once: QEMU takes a second or more for each key.</summary>
    public sealed class Chain : IDisposable
    {
        private readonly TempFolder _folder = new();

        public Chain()
        {
            if (!QemuImg.IsAvailable)
            {
                return;
            }

            Make("base.qcow2", "luks", "b", null);
            Make("other.qcow2", "luks", "o", null);
            Make("mid.qcow2", "aes", "m", "base.qcow2");
            Make("top.qcow2", "luks", "t", "mid.qcow2");
            Write(1, 0, 4 * MiB, ("base.qcow2", "b"));
            QemuImg.RunIo([.. Layers(_folder, ("other.qcow2", "o")), "-c", "write -P 7 512k 1M"]);
            Write(2, MiB + 5, MiB, ("mid.qcow2", "m"), ("base.qcow2", "b"));
            Write(3, (2 * MiB) - 7, MiB + 70_000, ("top.qcow2", "t"), ("mid.qcow2", "m"), ("base.qcow2", "b"));
        }

        internal byte[] Disk { get; } = new byte[4 * MiB];

        public void Dispose() => _folder.Dispose();

        internal void CopyTo(TempFolder folder)
        {
            foreach (string file in Directory.GetFiles(_folder.Path))
            {
                File.Copy(file, folder.File(Path.GetFileName(file)));
            }
        }

        private void Make(string name, string method, string passphrase, string? backing)
        {
            List<string> how = ["create", "-q", "-f", "qcow2", "--object", Secret("s", passphrase), "-o", $"encrypt.format={method},encrypt.key-secret=s{(method == "luks" ? ",encrypt.iter-time=10" : "")}"];
            how.AddRange(backing is null ? [] : new[] { "-u", "-b", backing, "-F", "qcow2" });
            QemuImg.RunIn(_folder.Path, [.. how, name, $"{Disk.Length}"]);
        }

        private void Write(byte value, int offset, int length, params (string Name, string Passphrase)[] layers)
        {
            QemuImg.RunIo([.. Layers(_folder, layers), "-c", $"write -P {value} {offset} {length}"]);
            Disk.AsSpan(offset, length).Fill(value);
        }
    }
}
