using Qcow2.Engine.Conversion;
using Qcow2.Engine.Format;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Encryption;

/// <summary>Conversions from each kind of encryption to each that is made, with the same passphrase and another: QEMU reads what we made, and we what it made of that.</summary>
public sealed class EncryptedConversionTests : IDisposable
{
    private const string Old = "letmein";
    private const string New = "open sesame";

    private readonly TempFolder _folder = new();
    private readonly Passphrase _old = Passphrase.FromString(Old);
    private readonly Passphrase _new = Passphrase.FromString(New);

    public void Dispose()
    {
        _folder.Dispose();
        _old.Dispose();
        _new.Dispose();
    }

    [QemuTheory]
    [InlineData(EncryptionMethod.None)]
    [InlineData(EncryptionMethod.Aes)]
    [InlineData(EncryptionMethod.Luks)]
    public void Every_way_between_plain_and_encrypted(EncryptionMethod from)
    {
        byte[] content = new byte[1 << 20];
        new Random(6).NextBytes(content.AsSpan(100_000, 300_001));
        string raw = _folder.Write("disk.raw", content);
        string source = _folder.File("source.qcow2");
        MakeSource(from, source, content);
        foreach ((string name, Passphrase? passphrase) in new[] { ("plain", null), ("same", _old), ("other", _new) })
        {
            string path = _folder.File($"{name}.qcow2");
            using (var disk = Qcow2Image.Open(source, new() { Passphrase = from == EncryptionMethod.None ? null : _old }))
            {
                DiskConverter.Convert(disk, path, new Qcow2CreateOptions
                {
                    Encryption = passphrase is null ? EncryptionMethod.None : EncryptionMethod.Luks,
                    Passphrase = passphrase,
                    KeyDerivationTime = TimeSpan.Zero,
                });
            }

            using (var copy = Qcow2Image.Open(path, new() { Passphrase = passphrase }))
            {
                Assert.Equal(content, DiskModel.ReadAll(copy));
            }

            string secret = passphrase is null ? "" : name == "same" ? Old : New;
            string[] options = secret.Length == 0
                ? ["--image-opts", $"driver=qcow2,file.filename={path}"]
                : ["--object", QemuLuks.Secret("s", secret), "--image-opts", $"driver=qcow2,file.filename={path},encrypt.key-secret=s"];
            QemuImg.Run(["convert", .. options, "-O", "raw", _folder.File("judge.raw")]);
            Assert.Equal(content, File.ReadAllBytes(_folder.File("judge.raw")));
            Assert.Equal(secret.Length > 0, File.ReadAllBytes(path).AsSpan().IndexOf(content.AsSpan(200_000, 512)) < 0);

            if (from == EncryptionMethod.Luks && name == "other")
            {
                string back = _folder.File("back.qcow2");
                QemuImg.Run(["convert", "--object", QemuLuks.Secret("n", Old), .. options, "-O", "qcow2", "-o", "encrypt.format=luks,encrypt.key-secret=n,encrypt.iter-time=10", back]);
                using var image = Qcow2Image.Open(back, new() { Passphrase = _old });
                Assert.Equal(content, DiskModel.ReadAll(image));
            }
        }

        Assert.Equal(content, File.ReadAllBytes(raw));
    }

    /// <summary>What a table does not name is not tried with another's passphrase: with the legacy method that would show noise.</summary>
    [Fact]
    public void Each_file_of_a_chain_is_opened_with_what_is_said_of_it()
    {
        Qcow2CreateOptions Luks(Passphrase passphrase) => new() { Encryption = EncryptionMethod.Luks, Passphrase = passphrase, KeyDerivationTime = TimeSpan.Zero };
        using (Qcow2Image image = Qcow2Image.Create(_folder.File("base.qcow2"), 1 << 20, Luks(_old)))
        {
            image.Write(5, [1, 2, 3]);
        }

        Qcow2Image.CreateFile(_folder.File("top.qcow2"), null, Luks(_new) with { BackingFile = "base.qcow2", BackingFormat = "qcow2" });
        byte[] read = new byte[3];
        var asked = new List<string>();
        using (var top = Qcow2Image.Open(_folder.File("top.qcow2"), new()
        {
            Passphrase = _new,
            BackingPassphrases = path =>
            {
                asked.Add(path);
                return _old;
            },
        }))
        {
            top.Read(5, read);
        }

        Assert.Equal([1, 2, 3], read);
        Assert.Equal([_folder.File("base.qcow2")], asked);
        using (var top = Qcow2Image.Open(_folder.File("top.qcow2"), new() { Passphrase = _new, BackingPassphrases = _ => null }))
        {
            var error = Assert.Throws<Qcow2Exception>(() => top.Read(5, read));
            Assert.Equal((Qcow2ErrorCode.PassphraseRequired, _folder.File("base.qcow2")), (error.Code, error.Path));
        }

        var wrong = Assert.Throws<Qcow2Exception>(() => Qcow2Image.Open(_folder.File("top.qcow2"), new() { Passphrase = _new }));
        Assert.Equal((Qcow2ErrorCode.PassphraseIncorrect, _folder.File("base.qcow2")), (wrong.Code, wrong.Path));
    }

    private void MakeSource(EncryptionMethod method, string path, byte[] content)
    {
        if (method == EncryptionMethod.Aes)
        {
            QemuImg.Run("create", "-q", "-f", "qcow2", "--object", QemuLuks.Secret("s", Old), "-o", "encrypt.format=aes,encrypt.key-secret=s", path, $"{content.Length}");
        }
        else
        {
            Qcow2Image.CreateFile(path, content.Length, new() { Encryption = method, Passphrase = method == EncryptionMethod.None ? null : _old, KeyDerivationTime = TimeSpan.Zero });
        }

        using var image = Qcow2Image.Open(path, new() { Writable = true, Passphrase = method == EncryptionMethod.None ? null : _old });
        image.Write(0, content);
    }
}
