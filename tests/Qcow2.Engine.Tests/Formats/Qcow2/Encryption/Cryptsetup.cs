using System.Diagnostics;
using Qcow2.Engine.Format;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Encryption;

/// <summary>cryptsetup, which made the format, on the LUKS header of an image, taken out into a file of its own.</summary>
internal static class Cryptsetup
{
    /// <summary>The header area of an image.</summary>
    internal static byte[] Extract(string image)
    {
        using FileStream file = File.OpenRead(image);
        EncryptionHeaderExtension place = Qcow2ImageInfo.Read(image).Header!.Extension<EncryptionHeaderExtension>()!;
        byte[] area = new byte[place.HeaderLength];
        file.Position = place.Offset;
        file.ReadExactly(area);
        return area;
    }

    /// <summary>Whether a passphrase opens a slot; null for any.</summary>
    internal static bool Opens(string area, string passphrase, int? slot = null)
        => Run(passphrase, ["open", "--test-passphrase", "--key-file", "-", .. slot is int one ? (string[])["--key-slot", $"{one}"] : [], area]).Code switch
        {
            0 => true,
            2 or 1 => false,
            int other => throw new InvalidOperationException($"cryptsetup ended with {other}."),
        };

    internal static string Dump(string area) => Succeed("", "luksDump", area);

    internal static string Succeed(string input, params string[] arguments)
    {
        (int code, string text) = Run(input, arguments);
        Assert.True(code == 0, $"cryptsetup {string.Join(' ', arguments)}: {text}");
        return text;
    }

    private static (int Code, string Text) Run(string input, string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo("cryptsetup", arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        process.StandardInput.Write(input);
        process.StandardInput.Close();
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output + errors.Result);
    }
}
