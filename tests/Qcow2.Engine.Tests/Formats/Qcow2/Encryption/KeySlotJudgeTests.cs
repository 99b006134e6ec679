using Qcow2.Engine.Format;
using Qcow2.Engine.Tests.Codecs;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Encryption;

/// <summary>Key slots that we set, for cryptsetup and QEMU to open, and those that these set, for us.</summary>
public sealed class KeySlotJudgeTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly Dictionary<int, Passphrase> _passphrases = Enumerable.Range(0, 9).ToDictionary(slot => slot, slot => Passphrase.FromString(Text(slot)));
    private readonly byte[] _data = TestData.Random(1 << 20, seed: 4);

    public void Dispose()
    {
        foreach (Passphrase passphrase in _passphrases.Values)
        {
            passphrase.Dispose();
        }

        _folder.Dispose();
    }

    [ToolTheory("cryptsetup")]
    [InlineData("aes-256", "xts", "plain64", "sha256")]
    [InlineData("aes-128", "cbc", "essiv", "sha512")]
    public void Cryptsetup_opens_each_slot_that_we_set(string cipher, string mode, string generator, string hash)
    {
        string image = Create(new LuksOptions { CipherAlgorithm = cipher, CipherMode = mode, IvGeneratorAlgorithm = generator, HashAlgorithm = hash });
        for (int slot = 1; slot < 8; slot++)
        {
            ImageKeySlots.Add(image, _passphrases[0], _passphrases[slot], KeySlotImage.Quick with { KeySlot = slot });
        }

        string area = Extract(image);
        Assert.All(Enumerable.Range(0, 8), slot => Assert.True(Cryptsetup.Opens(area, Text(slot), slot), $"Slot {slot} does not open."));
        Assert.False(Cryptsetup.Opens(area, Text(3), 4));
        Assert.DoesNotContain("DISABLED", Cryptsetup.Dump(area));

        ImageKeySlots.Remove(image, [6], _passphrases[0]);
        ImageKeySlots.Change(image, _passphrases[7], _passphrases[8], KeySlotImage.Quick);
        area = Extract(image);
        Assert.True(Cryptsetup.Opens(area, Text(8), 7));
        Assert.False(Cryptsetup.Opens(area, Text(6)) || Cryptsetup.Opens(area, Text(7)));
        Assert.Contains("Key Slot 6: DISABLED", Cryptsetup.Dump(area));
        Assert.Contains("Key Slot 7: ENABLED", Cryptsetup.Dump(area));
    }

    [ToolTheory("cryptsetup")]
    [InlineData(1)]
    [InlineData(6)]
    public void What_cryptsetup_changes_we_open(int slot)
    {
        string image = Create(LuksOptions.Default);
        string area = Extract(image);
        string key = _folder.File("key");
        File.WriteAllText(key, Text(slot));
        Cryptsetup.Succeed(Text(0), "luksAddKey", "--key-file", "-", "--key-slot", $"{slot}", "--pbkdf-force-iterations", "1000", area, key);
        PutBack(image, area);
        Assert.Equal([slot], ImageKeySlots.Find(image, _passphrases[slot]));

        Cryptsetup.Succeed("", "luksKillSlot", "--batch-mode", area, "0");
        PutBack(image, area);
        Assert.Equal(Qcow2ErrorCode.PassphraseIncorrect, Assert.Throws<Qcow2Exception>(() => ImageKeySlots.Find(image, _passphrases[0])).Code);
        AssertDisk(image, slot);
    }

    [QemuFact]
    public void Qemu_opens_each_slot_that_we_set_and_changes_them()
    {
        string image = Create(LuksOptions.Default);
        for (int slot = 1; slot < 8; slot++)
        {
            ImageKeySlots.Add(image, _passphrases[0], _passphrases[slot], KeySlotImage.Quick);
        }

        QemuLuks.AssertSameAsQemu(image, Qcow2ImageInfo.Read(image).Luks!);
        Assert.All(Enumerable.Range(0, 8), slot => QemuImg.RunIo([.. Source(image, slot), "-c", "read 0 4k"]));
        Amend(image, 3, "encrypt.state=inactive,encrypt.old-secret=n", Text(5));
        ImageKeySlots.Remove(image, [6]);
        Amend(image, 0, "encrypt.state=active,encrypt.new-secret=n,encrypt.keyslot=6,encrypt.iter-time=10", Text(8));
        ImageKeySlots.Change(image, _passphrases[8], _passphrases[5], KeySlotImage.Quick);

        Assert.Equal([6], ImageKeySlots.Find(image, _passphrases[5]));
        AssertDisk(image, 5);
        QemuImg.RunIo([.. Source(image, 5), "-c", "read 0 4k"]);
        Assert.NotEqual(0, QemuImg.TryRunIo([.. Source(image, 8), "-c", "read 0 4k"]).ExitCode);
        QemuLuks.AssertSameAsQemu(image, Qcow2ImageInfo.Read(image).Luks!);
        Assert.Equal((0, 0), QemuJudge.Check(image, Text(5)) is var (corruptions, leaks, _) ? (corruptions, leaks) : default);
    }

    /// <summary>Every combination that QEMU has and we make, but for the product of all with all: each value with each one of its neighbours.</summary>
    public static TheoryData<string, string, string, string?, string> Combinations
    {
        get
        {
            var all = new TheoryData<string, string, string, string?, string>();
            string[] hashes = ["sha256", "sha512", "sha384", "sha1", "md5"];
            int next = 0;
            foreach (string mode in (string[])["xts", "cbc", "ctr", "ecb"])
            {
                foreach (string cipher in (string[])["aes-128", "aes-192", "aes-256"])
                {
                    foreach ((string generator, string? ivHash) in ((string, string?)[])[("plain64", null), ("plain", null), ("essiv", "sha256"), ("essiv", "md5")])
                    {
                        if (cipher != "aes-192" || mode == "xts")
                        {
                            all.Add(cipher, mode, generator, ivHash, hashes[next++ % hashes.Length]);
                        }
                    }
                }
            }

            return all;
        }
    }

    [QemuTheory, MemberData(nameof(Combinations))]
    public void Qemu_reads_and_writes_each_combination_that_we_make(string cipher, string mode, string generator, string? ivHash, string hash)
    {
        string image = Create(new LuksOptions { CipherAlgorithm = cipher, CipherMode = mode, IvGeneratorAlgorithm = generator, IvGeneratorHash = ivHash, HashAlgorithm = hash });
        string at = $"{70_000 / 512 * 512}";
        QemuImg.RunIo([.. Source(image, 0), "-c", $"write -P 0x5a {at} 3k"]);
        _data.AsSpan(70_000 / 512 * 512, 3072).Fill(0x5A);

        AssertDisk(image, 0);
        Assert.Equal(_data, QemuJudge.Read(image, _folder, Text(0)));
        QemuLuks.AssertSameAsQemu(image, Qcow2ImageInfo.Read(image).Luks!);
    }

    [QemuTheory]
    [InlineData("aes-192", "xts")]
    [InlineData("aes-128", "cbc")]
    public void Measure_agrees_with_qemu(string cipher, string mode)
    {
        var options = new Qcow2CreateOptions { Encryption = EncryptionMethod.Luks, ClusterSize = 4096, Luks = new LuksOptions { CipherAlgorithm = cipher, CipherMode = mode } };
        string[] lines = QemuImg.Run(
            "measure", "--size", "1G", "-O", "qcow2", "--object", QemuLuks.Secret("s", "x"),
            "-o", $"cluster_size=4096,encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10,encrypt.cipher-alg={cipher},encrypt.cipher-mode={mode}").Split('\n');
        Qcow2MeasureResult ours = Engine.Conversion.ImageMeasure.ForSize(1 << 30, options);
        Assert.Equal($"required size: {ours.RequiredBytes}", lines[0]);
        Assert.Equal($"fully allocated size: {ours.FullyAllocatedBytes}", lines[1]);
    }

    public static TheoryData<string, LuksOptions> Refused => new()
    {
        { "serpent-256", new() { CipherAlgorithm = "serpent-256" } },
        { "twofish-128", new() { CipherAlgorithm = "twofish-128" } },
        { "cast5-128", new() { CipherAlgorithm = "cast5-128" } },
        { "3des", new() { CipherAlgorithm = "3des" } },
        { "aes-192 in cbc", new() { CipherAlgorithm = "aes-192", CipherMode = "cbc" } },
        { "xex", new() { CipherMode = "xex" } },
        { "benbi", new() { IvGeneratorAlgorithm = "benbi" } },
        { "ripemd160", new() { HashAlgorithm = "ripemd160" } },
        { "sha224", new() { HashAlgorithm = "sha224" } },
        { "sha512", new() { IvGeneratorAlgorithm = "essiv", IvGeneratorHash = "sha512" } },
        { "plain64 has no hash", new() { IvGeneratorHash = "sha256" } },
    };

    [Theory, MemberData(nameof(Refused), DisableDiscoveryEnumeration = true)]
    public void What_is_not_made_is_refused_by_name(string name, LuksOptions options)
    {
        Assert.Contains(name, Assert.Throws<ArgumentException>(() => Create(options)).Message);
        Assert.Empty(Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void Options_of_luks_need_luks()
        => Assert.Throws<ArgumentException>(() => Qcow2Image.CreateFile(_folder.File("x"), 1 << 20, new Qcow2CreateOptions { Luks = new LuksOptions { CipherMode = "cbc" } }));

    private static string Text(int slot) => $"passphrase {slot}";

    private static string[] Source(string path, int slot)
        => ["--object", QemuLuks.Secret("s", Text(slot)), "--image-opts", $"driver=qcow2,file.filename={path},encrypt.key-secret=s"];

    private static void Amend(string path, int slot, string options, string secret)
        => QemuImg.Run(
            "amend", "-q", "--object", QemuLuks.Secret("s", Text(slot)), "--object", QemuLuks.Secret("n", secret), "-o", options,
            "--image-opts", $"driver=qcow2,file.filename={path},encrypt.key-secret=s");

    private string Create(LuksOptions luks)
    {
        string path = _folder.File("image.qcow2");
        using var image = Qcow2Image.Create(path, _data.Length, new Qcow2CreateOptions
        {
            Encryption = EncryptionMethod.Luks,
            Passphrase = _passphrases[0],
            KeyDerivationTime = TimeSpan.Zero,
            Luks = luks,
        });
        image.Write(0, _data);
        return path;
    }

    private string Extract(string image)
    {
        string area = _folder.File("area.luks");
        File.WriteAllBytes(area, Cryptsetup.Extract(image));
        return area;
    }

    private static void PutBack(string image, string area)
    {
        long offset = Qcow2ImageInfo.Read(image).Header!.Extension<EncryptionHeaderExtension>()!.Offset;
        using FileStream file = File.OpenWrite(image);
        file.Position = offset;
        file.Write(File.ReadAllBytes(area));
    }

    private void AssertDisk(string path, int slot)
    {
        using var image = Qcow2Image.Open(path, new Qcow2OpenOptions { Passphrase = _passphrases[slot] });
        Assert.True(DiskModel.ReadAll(image).AsSpan().SequenceEqual(_data), "The disk is another one.");
    }
}
