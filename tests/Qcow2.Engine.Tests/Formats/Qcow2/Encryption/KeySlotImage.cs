using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Encryption;
using Qcow2.Engine.Tests.Codecs;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Encryption;

/// <summary>A small encrypted image in memory, with data and a snapshot, whose key slots are changed. The passphrase of slot 0 is "zero".</summary>
internal sealed class KeySlotImage : IDisposable
{
    internal const int Size = 100_000;

    internal static readonly KeySlotOptions Quick = new() { KeyDerivationTime = TimeSpan.Zero };

    private readonly Dictionary<string, Passphrase> _passphrases = [];

    internal KeySlotImage(Qcow2CreateOptions? options = null)
    {
        Data = TestData.Random(Size / 512 * 512, seed: 17);
        var storage = new MemoryStorage([], "slots.qcow2");
        using (var image = Qcow2Image.Create(storage, Data.Length, (options ?? new Qcow2CreateOptions { ClusterSize = 4096, Luks = new LuksOptions { CipherAlgorithm = "aes-128", CipherMode = "cbc" } }) with
        {
            Encryption = EncryptionMethod.Luks,
            Passphrase = this["zero"],
            KeyDerivationTime = TimeSpan.Zero,
        }))
        {
            image.Write(0, Data.AsSpan(0, 50_000));
            image.CreateSnapshot("before");
            image.Write(0, Data);
        }

        Content = storage.Content;
    }

    /// <summary>What the disk holds.</summary>
    internal byte[] Data { get; }

    /// <summary>The file.</summary>
    internal byte[] Content { get; private set; }

    /// <summary>A passphrase by its text; one object for each, which remembers what was derived from it.</summary>
    internal Passphrase this[string text]
    {
        get
        {
            if (!_passphrases.TryGetValue(text, out Passphrase? passphrase))
            {
                passphrase = Passphrase.FromString(text);
                _passphrases.Add(text, passphrase);
            }

            return passphrase;
        }
    }

    internal MemoryStorage Storage() => new([.. Content], "slots.qcow2");

    /// <summary>Changes the image for good.</summary>
    internal KeySlotImage With(Action<MemoryStorage> change)
    {
        MemoryStorage storage = Storage();
        change(storage);
        Content = storage.Content;
        return this;
    }

    /// <summary>Gives slots passphrases: "one" for slot 1, and so on.</summary>
    internal KeySlotImage Fill(params int[] slots) => With(storage =>
    {
        foreach (int slot in slots)
        {
            ImageKeySlots.Add(storage, this["zero"], this[Name(slot)], Quick with { KeySlot = slot });
        }
    });

    internal static void AssertSame(byte[] expected, byte[] actual) => Assert.True(expected.AsSpan().SequenceEqual(actual), "The file changed.");

    internal static string Name(int slot) => ((string[])["zero", "one", "two", "three", "four", "five", "six", "seven"])[slot];

    internal static LuksHeader Header(byte[] file) => ImageEncryption.ReadLuksHeader(new MemoryStorage(file), Qcow2Header.Parse(file))!;

    internal static int[] Active(byte[] file) => [.. Header(file).KeySlots.Where(slot => slot.IsActive).Select(slot => slot.Index)];

    internal static EncryptionHeaderExtension Place(byte[] file) => Qcow2Header.Parse(file).Extension<EncryptionHeaderExtension>()!;

    internal static Span<byte> Material(byte[] file, int slot)
    {
        LuksHeader header = Header(file);
        return file.AsSpan((int)(Place(file).Offset + header.KeySlots[slot].KeyMaterialOffset), header.KeyMaterialLength);
    }

    /// <summary>Whether a passphrase opens the image, whose disk must then be what it was.</summary>
    internal bool Opens(byte[] file, string text)
    {
        try
        {
            using var image = Qcow2Image.Open(new MemoryStorage(file, "slots.qcow2"), new Qcow2OpenOptions { Passphrase = this[text] });
            Assert.True(DiskModel.ReadAll(image).AsSpan().SequenceEqual(Data), "The disk changed.");
            return true;
        }
        catch (Qcow2Exception e) when (e.Code == Qcow2ErrorCode.PassphraseIncorrect)
        {
            return false;
        }
    }

    public void Dispose()
    {
        foreach (Passphrase passphrase in _passphrases.Values)
        {
            passphrase.Dispose();
        }
    }
}
