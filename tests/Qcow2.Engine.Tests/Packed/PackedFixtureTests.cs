using System.Text;

namespace Qcow2.Engine.Tests.Packed;

/// <summary>The same file as each program packed it, where the programs are not: on Windows, and on .NET Framework.</summary>
public sealed class PackedFixtureTests
{
    /// <summary>300 lines, and 3000 zeros.</summary>
    private static readonly byte[] Content = [.. Encoding.ASCII.GetBytes(string.Concat(Enumerable.Range(0, 300).Select(n => $"line {n}\n"))), .. new byte[3000]];

    public static TheoryData<string, string> Files { get; } = new()
    {
        // gzip -c -9n, two members
        {
            "gzip",
            "H4sIAAAAAAACA93Wu01EQRBEUWyiIISpmn9AGEgr8jcRenWbHFhnrL3aT5/p9/r6/vxo76/fQ8/h5+jPMZ5jPsd6jv0c5zlu3k4mHSWklJSU0lJiSk3JKT2nZz5Xek7P6Tk9p+f0nJ7T6+n19DpfNL2eXk+vp9fT6+n19EZ6I72R3uCXS2+k" +
            "N9Ib6Y30RnozvZneTG+mN/kr0pvpzfRmejO9ld5Kb6W30lvpLf7b9FZ6K72V3k5vp7fT2+nt9HZ6m2FJb6e30zvpnfROeie9k95J76R3mL70Tno3vZveTe+md9O76d30bnqXca55ZqAbE90Y6cZMN4a6MdWNsW7MdWOwG+U/KpQLS2kpLuWl" +
            "wJSYIoMZgUYuhZRxI+AIOYKOsCPwCD2Cj/CjXsApQ0gYEoiEIsFIOBKQhCRBSaPuDspoEpyEJwFKiBKkhCmBSqjSrGuJMrCELEFL2BK4hC7BS/gSwLTqxqOMMYFMKBPMhDMBTUgT1IQ17bpMKcNNeBPghDhBTpgT6IQ6wU6n7mnKyBP0hD2B" +
            "T+gT/IQ/AVAI1K0VUDuAJYBBY9AYNAaNQWPQGDQGjUGr1gtlDBqDxqAxaAwag8aga2/V4vrbXJRrd9Xyqu1V66v2Vy0wDBqDxqB7LUXKGDQGjUFj0Bg0Bo1BY9AY9Kh9SxmDxqAxaAwag8agMWgMGoOetcopY9AYNAaNQWPQGDQGjUFj0Kue" +
            "Eihj0Bg0Bo1BY9AYNAaNQWPQux5AKGPQGDQGjUFj0Bg0Bo1BY9Cnnm0oY9AYNAaNQWPQGDQGjUFj0Lcem+772396/QDZskbU6woAAB+LCAAAAAAAAgPtwQENAAAAwqD3T20PBxQAAFwaqr2r3usKAAA="
        },
        // xz -c -9e
        {
            "xz",
            "/Td6WFoAAATm1rRGAgAhARwAAAAQz1jM4BXVAQ1dADYaSh8IoCXB3pS6kMw7Kx81OvJf1Z5+c7Le6vfCLQQnMVvKDEf8ldIdW3ykSPjamraGPS5yX8qBD6MEmU+0TErz7LQZF1glZAp03R+qhGXcA+rC+wSWn1D3P0AzkZjOe0yhx9gSiKSc" +
            "dGhYsWbMyqp7fQ9kgTf85xsAy4xoF/jyQEYRZ0gldaR0jaVjdfnz6nz6bcwn6GiFwsk7QkMk5CIIvu9hxTlP/E5PV/iagvYAed/rbsdecLu7FSSRLVQ4Ai4jYX9w3JDCBGntbN1hzPsSkEXuGfkVtg7bk56LJE8l52E+I21hDFn2F8i8m/vs" +
            "Tpjmm+qMLrR6rC86iycrtWgENvwa6iErlwDzlygAAAAAAO5xBZ2gyjX3AAGpAtYrAADfiKGwscRn+wIAAAAABFla"
        },
        // xz -c -9e --check=sha256, blocks of 2500 bytes
        {
            "xz",
            "/Td6WFoAAArh+wyhAgAhARwAAAAQz1jM4AnDAPBdADYaSh8IoCXB3pS6kMw7Kx81OvJf1Z5+c7Le6vfCLQQnMVvKDEf8ldIdW3ykSPjamraGPS5yX8qBD6MEmU+0TErz7LQZF1glZAp03R+qhGXcA+rC+wSWn1D3P0AzkZjOe0yhx9gSiKSc" +
            "dGhYsWbMyqp7fQ9kgTf85xsAy4xoF/jyQEYRZ0gldaR0jaVjdfnz6nz6bcwn6GiFwsk7QkMk5CIIvu9hxTlP/E5PV/iagvYAed/rbsdecLu7FSSRLVQ4Ai4jYX9w3JDCBGntbN1hzPsSkEXuGfkVtg7bk56LJE8l52E+I21hDFn2F8i8ZIjZ" +
            "qQAiw+wCuRBofAbAkLjieACNhBVhcjkgz+y7sVQRGEkM2AIAIQEcAAAAEM9YzOAJwwAwXQA2GkofCKAxr3XbrodnmzYDrrl+AENCCgMGztVNuOTNOhn/C3OHgNnOFDZxi+CceAAA+j2nYIY17SUvF0AE+uUOtOXBhheQvbXfKwMZ5Q/R1fUC" +
            "ACEBHAAAABDPWMzgAk0ACl0AAG/9//93NFPjAAAAAMjV+/bdGamMgLjjwDrevswl7RyI9HmRKotVKf4cUox0AAOkAsQTZMQTPs4EuOAVdRM6g9cDAAAAAApZWg=="
        },
        // zstd -c -19
        {
            "zstd",
            "KLUv/QRofQ0A5vFYEqCn0GKQ9P9PVnZ370RhdY7qB14ATQBNAIbgnV0d3Zxc3OeFOzMrIxsTC9u0YFdWVVRTUlGXFerIqIhoSChokgLd2NTQzMjEPE6YE5MSkhGRkEUJcmFRQTEhEXEYIW67pmc5fg+fZkmOYrgaPCsaiR2EAIGCAYJFEjmk" +
            "kEFOSgbyRhtrpHFGGWN8dAzjiSaWSOKIIoa4qBjECy2skMIJJYzw0DCEt7a1tLOysa8b9tS0lHRUNHRVg17QghWk4AQlGMGDhnHEx8Yhvrevp5+Xj//98Ofm5eTj4uG7HvzCFq4whScs4QgfNhzCd9pZJ51zyhnnp2c4zzSzTDLHFDPMTc1g" +
            "XmlllVROKWWUl5ahPNLIAIO77a6b7rnljvvbO9xnm1022WOLHfa2drCvtrpqqqeWOupr61AfbXTRRA8tdNDT0oG+2eaaaZ5Z5pifncN8ssklkzyyyCEvKwf5YosrpnhiCYEsqBEwUH0YA/ELBxJI8Nf///8ztMOgWqmq1qpaVVpVtVrVqsqq" +
            "qlUp5iBEIYQQQgiEEEIIUQghDCEkIQQyt9Zaa601k1cBqirJeZP3"
        },
        // bzip2 -c
        {
            "bzip2",
            "QlpoOTFBWSZTWTfhpx8AA/tZCMAQQAB/4AIlAACACEACsBwAApkxMgyMIgNH+qVAjCmTEyDIwaPVJPeqn+VUmR6T7a0YxEWiPW7xeedV48+urgHDACRkDYaBoGwyBIwA4XAOoADiGAHVwDhgBIyBsNA0DYZAkYAcLgHUABIyBsNA0DYZAkYA" +
            "cLgHUAB7iLWi0R7qoqqqqrw6uAmZmZn373d3d3d3d3d3dgiSSSW2q222973ve9sgsRpqxGmrEaasRpqxGmrEaasRpqxGmrEaasV5zbbbbPcUkkkrbbbnuasRpqxAZiAzEBmIDMQGYgMxAZiAzFecpbbbHJskkjrbbcnsAAAAAAAAC85by22z" +
            "skJJI3W23IwAAAAAAAALzlt8ttnqSTkkjbrbcnQAAAAAAAALzltvq2zySSeSRtutuT0AAAAAAAABecttvbZySST1I2263J4AAAAAAAABectttdhJJJOxttuuTgAAAAAAAAHN2+eW22uQkkkne973vW6AAAAAAABunxLMWJfEsxYl+/7MWLEv" +
            "1LMWJfEs/4u5IpwoSBvw04+A"
        },
    };

    [Theory]
    [MemberData(nameof(Files))]
    public void What_was_packed_comes_out(string kind, string packed)
    {
        byte[] file = Convert.FromBase64String(packed);
        Assert.Equal(Content, PackedSamples.Unpack(file, kind));
        Assert.Equal(Content.Concat(Content), PackedSamples.Unpack([.. file, .. file], kind));
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void What_is_cut_off_or_changed_does_not(string kind, string packed)
    {
        byte[] file = Convert.FromBase64String(packed);
        for (int place = 0; place < file.Length; place += 7)
        {
            byte[] cut = file.AsSpan(0, place).ToArray();
            if (place == 0 || !EndsMember(cut, kind))
            {
                Assert.ThrowsAny<Qcow2Exception>(() => PackedSamples.Unpack(cut, kind));
            }

            byte[] changed = (byte[])file.Clone();
            changed[place] ^= (byte)(1 << (place % 8));
            try
            {
                byte[] found = PackedSamples.Unpack(changed, kind);
                Assert.True(Content.AsSpan().SequenceEqual(found), $"{kind}, changed at {place} of {file.Length}: another disk of {found.Length} bytes came out."); // The time of a gzip file, say.
            }
            catch (Qcow2Exception)
            {
            }
        }
    }

    /// <summary>The first of two members is a file of its own.</summary>
    private static bool EndsMember(byte[] cut, string kind)
    {
        try
        {
            return kind == "gzip" && PackedSamples.Unpack(cut, kind).Length == Content.Length / 2;
        }
        catch (Qcow2Exception)
        {
            return false;
        }
    }
}
