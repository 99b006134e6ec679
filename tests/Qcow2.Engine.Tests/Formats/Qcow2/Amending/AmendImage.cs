using System.Collections.Concurrent;
using Qcow2.Engine.Format;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Amending;

/// <summary>An image to amend: a fixture, or one that is made here, with zeros of every kind in its disk and its snapshots.</summary>
/// <param name="Content">The file's bytes.</param>
/// <param name="Path">Where it lies, or would, beside the files that it names.</param>
/// <param name="Passphrase">Its passphrase; null where it is not encrypted.</param>
internal sealed record AmendImage(byte[] Content, string Path, string? Passphrase)
{
    private const string Base = "backing-base";

    private static readonly ConcurrentDictionary<string, AmendImage> Known = new();

    internal static bool IsBuilt(string name) => name.StartsWith("built", StringComparison.Ordinal);

    internal static AmendImage Get(string name) => Known.GetOrAdd(name, Make);

    /// <summary>Copies the image and the files that it names.</summary>
    internal string CopyTo(TempFolder folder)
    {
        string name = System.IO.Path.GetRelativePath(Fixtures.Root, Path).Replace('\\', '/');
        if (Fixtures.All.FirstOrDefault(fixture => fixture.File == name) is Fixture known)
        {
            return known.CopyTo(folder);
        }

        Fixtures.Get(Base).CopyTo(folder);
        string copy = folder.File(name);
        File.WriteAllBytes(copy, Content);
        return copy;
    }

    private static AmendImage Make(string name)
    {
        if (!IsBuilt(name))
        {
            Fixture fixture = Fixtures.Get(name);
            return new AmendImage(File.ReadAllBytes(fixture.Path), fixture.Path, fixture.Passphrase);
        }

        const int ClusterSize = 512;
        bool hasBacking = name != "built";
        string? passphrase = name == "built-luks" ? "correct-horse" : null;
        var storage = new MemoryStorage([], System.IO.Path.Combine(Fixtures.Root, name + ".qcow2"));
        using (Qcow2Image image = Qcow2Image.Create(storage, 100_000, new Qcow2CreateOptions
        {
            ClusterSize = ClusterSize,
            BackingFile = hasBacking ? Fixtures.Get(Base).File : null,
            BackingFormat = hasBacking ? "qcow2" : null,
            Encryption = passphrase is null ? EncryptionMethod.None : EncryptionMethod.Luks,
            Passphrase = passphrase is null ? null : Engine.Passphrase.FromString(passphrase),
            KeyDerivationTime = TimeSpan.FromMilliseconds(1),
        }))
        {
            var random = new Random(7);
            for (int round = 0; round < 3; round++)
            {
                for (int i = 0; i < 25; i++)
                {
                    int offset = random.Next(0, 100_000 / ClusterSize) * ClusterSize;
                    int length = (int)Math.Min(image.Length - offset, random.Next(1, 9) * ClusterSize);
                    if (random.Next(2) == 0)
                    {
                        byte[] data = new byte[length];
                        random.NextBytes(data);
                        image.Write(offset, data);
                    }
                    else
                    {
                        image.WriteZeroes(offset, length, keepAllocation: random.Next(2) == 0);
                    }
                }

                if (round < 2)
                {
                    image.CreateSnapshot($"round {round}");
                }
            }
        }

        return new AmendImage(storage.Content, storage.Path, passphrase);
    }
}
